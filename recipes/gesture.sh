# UCI Gesture Phase, velocities and accelerations: DATA/train/*.csv (people a and b), DATA/valid/*.csv (person c);
# DATA/train.csv and valid.csv: the same rows joined
helo train tag "$1/train" --valid "$1/valid" --column Phase --minutes 2 --out runs/gesture
helo train classify "$1/train.csv" --valid "$1/valid.csv" --label Phase --minutes 1 --out runs/gesture-alone
# measured on two cores with bfloat16 (pace 0.75): 0.617 frame accuracy, edit 51.4, F1@10,25,50 56.8 51.9 40.0 in 15 s; without recurrence
# 0.424
