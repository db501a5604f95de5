module ecommerce.dev/echo

go 1.21
