#!/bin/bash
# Makes every prompt of texts.csv, in its language, and the ringback tone. Needs espeak-ng, sox and python3. Run it
# again after a change: the same texts give the same files, and what is there is overwritten.
set -euo pipefail
cd "$(dirname "$0")"

lacking=()
for tool in espeak-ng sox python3; do
    command -v "$tool" >/dev/null || lacking+=("$tool")
done
if ((${#lacking[@]})); then
    echo "${lacking[*]} missing; on Debian or Ubuntu: apt-get install ${lacking[*]}" >&2
    exit 1
fi
[[ -r texts.csv ]] || { echo "texts.csv is missing: what is to be said, by name and language" >&2; exit 1; }

declare -A voices=([nl]=nl [fr]=fr-be [de]=de [en]=en-gb)
format=(-r 8000 -b 16 -c 1 -e signed-integer)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Silence goes from both ends, but for a tenth of a second before, which phones swallow, and a bit more behind. The
# band is the telephone's, and the peak leaves room for what follows. -D: no dither, so equal texts give equal files.
say() { # LANGUAGE NAME TEXT
    espeak-ng -v "${voices[$1]}" -s 150 -w "$work/spoken.wav" -- "$3"
    mkdir -p "$1"
    sox -D "$work/spoken.wav" "${format[@]}" "$1/$2.wav" \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse \
        gain -6 highpass 200 lowpass 3400 rate 8000 norm -6 pad 0.1 0.25
}

# name, language and text, each ended by a NUL, for texts may hold anything else.
texts() {
    python3 - <<'END'
import csv

with open("texts.csv", encoding="utf-8", newline="") as file:
    for row in csv.DictReader(line for line in file if not line.startswith("#")):
        name = row.pop("name")
        for language, text in row.items():
            print(name, language, text, sep="\0", end="\0")
END
}

count=0
while IFS= read -rd '' name && IFS= read -rd '' language && IFS= read -rd '' text; do
    [[ -v voices[$language] ]] || { echo "texts.csv: no voice for language $language" >&2; exit 1; }
    [[ -n $text ]] || { echo "texts.csv: $name has no text in $language" >&2; exit 1; }
    say "$language" "$name" "$text"
    count=$((count + 1))
done < <(texts)
((count)) || { echo "texts.csv: nothing to say" >&2; exit 1; }

# Belgium's ringing tone (ITU-T E.180 supplement 2): 425 Hz, 1 s on, 3 s off. One period, at -10 dBm0, which is 13.14 dB
# below the full scale of A-law.
mkdir -p tones
sox -D -n "${format[@]}" tones/ringback.wav synth 1 sine 425 gain -13.14 fade t 0.005 1 0.005 pad 0 3

echo "$count prompts and the ringback tone"
