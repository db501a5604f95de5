-- One service's role and database, from the files in $FOLDER. Passwords come from files into psql's variables: they are
-- in no command line, and the settings keep them out of the server's log.
\set QUIET on
\pset tuples_only on
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SET log_min_duration_sample = -1;

\set username `cat "$FOLDER/username"`
\set password `cat "$FOLDER/password"`
\set database `cat "$FOLDER/database"`

SELECT format('CREATE ROLE %I', :'username')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'username') \gexec

ALTER ROLE :"username" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'username')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

ALTER DATABASE :"database" OWNER TO :"username";

-- Everybody may connect everywhere unless this is taken away: then only a database's owner may, and the superuser.
REVOKE ALL ON DATABASE :"database", postgres, template1 FROM PUBLIC;
