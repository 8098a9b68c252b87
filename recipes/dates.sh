# Dates in ten languages to ISO 8601: python -c "from helo.data.embedded import write_dates as w; from pathlib import Path; w(Path('dates.tsv'))"
helo train translate "$1/dates.tsv" --minutes 3 --out runs/dates
# measured on one core: --minutes 1, 67 s: exact 1.000 of 2,000 held out
