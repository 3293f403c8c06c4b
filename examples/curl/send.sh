# send FILE [arguments of curl]: sends a request and writes the answer to FILE.
# --retry sends it again after 429 or 503, when the seconds of Retry-After have passed,
# and --retry-all-errors after a lost connection.
send() {
  local file=$1 status
  status=$(curl -sS -o "$file" -w '%{http_code}' --retry 8 --retry-all-errors --max-time 120 \
    ${OVSEG_API_KEY:+--oauth2-bearer "$OVSEG_API_KEY"} "${@:2}") || exit
  if [[ $status != 2* ]]; then
    cat "$file" >&2
    exit 1
  fi
}

url=${OVSEG_URL:-http://127.0.0.1:8080}
