# Multi30k, English to German: DATA/train.en, train.de (29,000), val.en, val.de (1,014)
helo train translate --source "$1/train.en" --target "$1/train.de" --valid-source "$1/val.en" --valid-target "$1/val.de" \
  --minutes 40 --out runs/multi30k
helo train translate --source "$1/train.en" --target "$1/train.de" --valid-source "$1/val.en" --valid-target "$1/val.de" \
  --attention none --minutes 40 --out runs/multi30k-fixed
# not measured yet
