# MNIST: DATA/train.npz (x (55000, 28, 28), y), DATA/valid.npz (the last 5,000 of the training pictures)
helo train classify "$1/train.npz" --valid "$1/valid.npz" --minutes 2 --out runs/mnist
helo train classify "$1/train.npz" --valid "$1/valid.npz" --view rows --minutes 5 --out runs/mnist-rows
# measured so far on one core: whole, --minutes 3, 165 s: accuracy 0.9868; rows, --minutes 7 beside other work, 501 s: 0.9950
