#!/bin/sh
# Creates the application's role and database: an ordinary role that owns its database. PostgreSQL's
# image runs this once, after it has created an empty data folder.
set -eu
# The password is neither in a command line nor in this script.
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --quiet <<'SQL'
\getenv password APPLICATION_PASSWORD
CREATE ROLE whatsapp_orgs LOGIN PASSWORD :'password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
CREATE DATABASE whatsapp_orgs OWNER whatsapp_orgs;
REVOKE ALL ON DATABASE whatsapp_orgs FROM PUBLIC;
SQL
