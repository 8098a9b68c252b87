# MNIST: DATA/train.npz (x (55000, 28, 28), y), DATA/valid.npz (the last 5,000 of the training pictures)
helo train classify "$1/train.npz" --valid "$1/valid.npz" --minutes 2 --out runs/mnist
helo train classify "$1/train.npz" --valid "$1/valid.npz" --view rows --minutes 5 --out runs/mnist-rows
# measured on two cores with bfloat16 (pace 0.75): whole 0.9924 in 97 s (asked 0.983), rows 0.9950 in 256 s (asked 0.990)
