-- The role that the Secret names, as it has to be; its name and its password come as settings of the session.
DO $$
DECLARE
  role text := current_setting('start.username');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
    EXECUTE format('CREATE ROLE %I', role);
  END IF;
  EXECUTE format('ALTER ROLE %I SUPERUSER LOGIN PASSWORD %L', role, current_setting('start.password'));
END
$$;
