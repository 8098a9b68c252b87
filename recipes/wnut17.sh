# WNUT-17: DATA/wnut17train.conll, DATA/emerging.dev.conll
helo train tag "$1/wnut17train.conll" --valid "$1/emerging.dev.conll" --column 2 --crf --minutes 3 --out runs/wnut-crf
helo train tag "$1/wnut17train.conll" --valid "$1/emerging.dev.conll" --column 2 --minutes 3 --out runs/wnut
# measured on two cores with bfloat16 (pace 0.75): with CRF span F1 0.348 in 179 s; without 0.348 (precision 0.371, recall 0.328) in 156 s
