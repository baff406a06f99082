# Dumps, restores, swaps and drops databases with PostgreSQL's own tools: bash -c TEXT backups MODE ARGUMENT...
#
#   dump FILE                  dump the stack's database into the volume; prints the size in bytes
#   scheduled DAYS             the same under the name of the present time; delete dumps that are older, but never the
#                              newest, before and after: a volume that is full would else stay full; 0: delete none
#   list                       print size and name of each dump, the newest first
#   send                       dump the database to the container beside, dump_bucket.py; prints the size in bytes
#   receive NEW COMMENT        restore the dump that the container beside sends, as `restore` does
#   databases                  print the name of the stack's database, then name and comment of each that exists
#   restore FILE NEW COMMENT   restore a dump into a new database, and mark it with a comment once it is whole
#   swap NEW OLD               let the new database take the name of the stack's, which becomes OLD, in one transaction
#   drop NAME                  drop a database
#
# It runs in the official PostgreSQL image. What it prints becomes the message by which the container ended. The URI of
# the database comes in a variable, and its password goes on in one: no process has it among its arguments.
set -euo pipefail
umask 077
folder=/backups port=9900

decoded() { printf '%b' "${1//%/\\x}"; }
say() { printf '%s' "${1:0:4000}" > /dev/termination-log; } # Kubernetes keeps 4096 bytes
quietly() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname postgres "$@"; }

form='^[^:]+://([^:@/]*):([^@/]*)@(\[[^]]*\]|[^:/]*):([0-9]+)/([^?]*)(\?sslmode=([a-z-]+))?$'
[[ $AIRFLOW__DATABASE__SQL_ALCHEMY_CONN =~ $form ]] || { echo "the URI of the database cannot be read" >&2; exit 1; }
PGUSER=$(decoded "${BASH_REMATCH[1]}") PGPASSWORD=$(decoded "${BASH_REMATCH[2]}")
PGHOST=${BASH_REMATCH[3]//[\[\]]/} PGPORT=${BASH_REMATCH[4]} PGSSLMODE=${BASH_REMATCH[7]:-prefer}
export PGUSER PGPASSWORD PGHOST PGPORT PGSSLMODE PGCONNECT_TIMEOUT=30
name=$(decoded "${BASH_REMATCH[5]}")

dump() {
  find "$folder" -maxdepth 1 -name '*.part' -mmin +1440 -delete # of a pod that was killed
  trap 'rm -f "$folder/'"$1"'.part"' EXIT
  pg_dump --format=custom --no-owner --no-privileges --file "$folder/$1.part" --dbname "$name"
  pg_restore --list "$folder/$1.part" > /dev/null
  mv "$folder/$1.part" "$folder/$1"
  noted "$1" "$(stat --format %s "$folder/$1")"
}

noted() {
  say "$2"
  # Into the table that Airflow's UI shows as its audit log. A dump without its note is a backup too.
  PGDATABASE=$name psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set file="$1" << 'SQL' || echo "not noted" >&2
INSERT INTO log (dttm, event, owner, extra) VALUES (now(), 'database_backup', 'backup', :'file');
SQL
}

beside() { # opens the dump (3) and the answer (4) of the container beside, once it is there
  for _ in $(seq 600); do
    if { exec 3<> "/dev/tcp/127.0.0.1/$port"; } 2> /dev/null; then
      exec 4<> "/dev/tcp/127.0.0.1/$port"
      return
    fi
    sleep 1
  done
  echo "the container that stores dumps did not begin" >&2
  exit 1
}

answered() { read -r "$@" <&4 || { echo "the container that stores dumps has failed" >&2; exit 1; }; }

made() {
  quietly --set new="$1" << 'SQL'
DROP DATABASE IF EXISTS :"new" WITH (FORCE);
CREATE DATABASE :"new" TEMPLATE template0;
SQL
}

filled() { pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname "$@"; }

whole() {
  PGDATABASE=$1 psql --no-psqlrc --quiet --command ANALYZE
  quietly --set new="$1" --set comment="$2" <<< 'COMMENT ON DATABASE :"new" IS :'"'comment'"';'
}

forget() {
  newest=$(find "$folder" -maxdepth 1 -name 'airflow-*.dump' | sort | tail -n 1)
  [ "$1" = 0 ] ||
    find "$folder" -maxdepth 1 -name 'airflow-*.dump' -mtime "+$(($1 - 1))" ! -path "$newest" -delete
}

case $1 in
  dump) dump "$2" ;;
  scheduled)
    forget "$2"
    dump "airflow-$(date --utc +%Y%m%dT%H%M%SZ).dump"
    forget "$2"
    ;;
  list)
    say "$(find "$folder" -maxdepth 1 -name '*.dump' -printf '%s %f\n' | sort --reverse --key 2 | sed -n 1,60p)"
    ;;
  databases)
    found=$(quietly --field-separator ' ' --set name="$name" << 'SQL'
SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database
WHERE datname = :'name' OR starts_with(datname, :'name' || '_old_') OR starts_with(datname, :'name' || '_new_')
  OR starts_with(datname, :'name' || '_drill_') ORDER BY datname
SQL
    )
    say "$name"$'\n'"$found"
    ;;
  restore)
    [ -f "$folder/$2" ] || { echo "there is no backup $2" >&2; exit 1; }
    made "$3"
    filled "$3" "$folder/$2"
    whole "$3" "$4"
    ;;
  send)
    beside
    pg_dump --format=custom --no-owner --no-privileges --dbname "$name" >&3
    printf 'airflow: here ends the whole dump' >&3
    exec 3>&-
    answered size file
    noted "$file" "$size"
    ;;
  receive)
    beside
    made "$2"
    filled "$2" <&3
    cat <&3 > /dev/null # what pg_restore had no use for
    answered _
    whole "$2" "$3"
    ;;
  swap)
    quietly --set name="$name" --set new="$2" --set old="$3" << 'SQL'
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN (:'name', :'new') \g /dev/null
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'name') AS present \gset
BEGIN;
\if :present
ALTER DATABASE :"name" RENAME TO :"old";
\endif
ALTER DATABASE :"new" RENAME TO :"name";
COMMIT;
SQL
    ;;
  drop)
    quietly --set old="$2" <<< 'DROP DATABASE IF EXISTS :"old" WITH (FORCE);'
    ;;
esac
