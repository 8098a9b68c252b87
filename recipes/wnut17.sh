# WNUT-17: DATA/wnut17train.conll, DATA/emerging.dev.conll
helo train tag "$1/wnut17train.conll" --valid "$1/emerging.dev.conll" --column 2 --crf --minutes 3 --out runs/wnut-crf
helo train tag "$1/wnut17train.conll" --valid "$1/emerging.dev.conll" --column 2 --minutes 3 --out runs/wnut
# measured so far on one core: with CRF, --minutes 2.5: span F1 0.336, precision 0.452, recall 0.268; without: not measured
