#!/usr/bin/env bash
# browser_test.sh WRITE_SAMPLE_REPORT: opens sample reports in Chromium, at desk and phone width, light and dark, and uses
# them as people do (browser_probe.js). Fails on errors of the page's script, on requests that its policy has to stop
# and on what is missing or misplaced.
set -euo pipefail
writer=$1
here=$(cd "$(dirname "$0")" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "There is no Chromium on this system: reports are not looked at."
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# with_probe PAGE CLASSES: the page with what notes faults before its script, and the probe behind it.
with_probe() {
  local page watch
  page=$(<"$1")
  watch="window.faults = []; document.documentElement.dataset.classes = $2;
addEventListener('error', (event) => faults.push('error: ' + event.message));
addEventListener('securitypolicyviolation', (event) => faults.push('refused: ' + event.blockedURI + ' ' + event.violatedDirective));"
  printf '%s<script nonce="report">%s</script></head>%s<script nonce="report">%s</script></body></html>\n' \
    "${page%%</head>*}" "$watch" "$(body_of "$page")" "$(<"$here/browser_probe.js")"
}
body_of() {
  local rest=${1#*</head>}
  printf '%s' "${rest%</body>*}"
}

failures=0
for sample in "6 12 25" "400 40 800" "2 2 1"; do
  read -r classes epochs steps <<<"$sample"
  "$writer" "$work/page.html" "$classes" "$epochs" "$steps"
  with_probe "$work/page.html" "$classes" >"$work/probed.html"
  for width in 1280 390; do
    for scheme in 1 0; do # light, dark
      "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --window-size="$width,1000" \
        --blink-settings=preferredColorScheme=$scheme --virtual-time-budget=5000 --enable-logging=stderr \
        --dump-dom "file://$work/probed.html" >"$work/dom" 2>"$work/errors" || true
      found=$(grep -o 'data-result="[^"]*"' "$work/dom" | head -1) || found="no result: $(tail -3 "$work/errors")"
      if [[ $found != "data-result=\"passed at "* ]] || grep -q CONSOLE "$work/errors"; then
        echo "$classes classes, $width pixels, colour scheme $scheme: $found"
        grep -m 1 CONSOLE "$work/errors" || true
        failures=$((failures + 1))
      fi
    done
  done
done
[[ $failures == 0 ]] && echo "12 pages passed"
