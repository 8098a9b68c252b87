# Flickr8k, English and Chinese: DATA/captions.en.txt, captions.zh.txt, train.txt (6,000), dev.txt (1,000), *.tar of the pictures
helo train caption "$1/captions.en.txt" "$1"/*.tar --train-list "$1/train.txt" --valid-list "$1/dev.txt" --minutes 22 --out runs/flickr8k
helo train caption "$1/captions.zh.txt" "$1"/*.tar --train-list "$1/train.txt" --valid-list "$1/dev.txt" --units jieba --minutes 15 \
  --out runs/flickr8k-zh
