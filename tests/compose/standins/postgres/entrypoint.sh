#!/usr/bin/env bash
# The part of the public image's contract that the compose file relies on: POSTGRES_USER, _PASSWORD,
# _DB, _INITDB_ARGS, and /docker-entrypoint-initdb.d run once, by a server that no network reaches.
set -euo pipefail

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

run_init_files() {
  local psql=(psql --set ON_ERROR_STOP=1 --username "$user" --dbname "$database" --no-password --no-psqlrc)
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) "${psql[@]}" --file "$file" ;;
    esac
  done
}

initialise() {
  [[ -n ${POSTGRES_PASSWORD:-} ]] || { echo "POSTGRES_PASSWORD is missing" >&2; exit 1; }
  # shellcheck disable=SC2086  # the contract says: several arguments in one variable
  initdb --username "$user" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
  printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
  export PGPASSWORD=$POSTGRES_PASSWORD
  pg_ctl --options "-c listen_addresses=''" --wait start
  if [[ $database != postgres ]]; then
    createdb --username "$user" --maintenance-db postgres "$database"
  fi
  run_init_files
  pg_ctl --mode fast --wait stop
  unset PGPASSWORD
}

if [[ ${1:-} == postgres ]]; then
  if [[ $(id -u) == 0 ]]; then
    exec setpriv --reuid postgres --regid postgres --clear-groups bash "$0" "$@"
  fi
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA"
  [[ -s $PGDATA/PG_VERSION ]] || initialise
  shift
  set -- postgres -c listen_addresses='*' "$@"
fi
exec "$@"
