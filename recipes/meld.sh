# MELD: DATA/train_sent_emo.csv, DATA/dev_sent_emo.csv
columns="--text Utterance --label Emotion"
helo train tag "$1/train_sent_emo.csv" --valid "$1/dev_sent_emo.csv" $columns --group Dialogue_ID --order Utterance_ID --speaker Speaker \
  --minutes 5 --out runs/meld
helo train classify "$1/train_sent_emo.csv" --valid "$1/dev_sent_emo.csv" $columns --minutes 5 --out runs/meld-alone
# measured on two cores with bfloat16 (pace 0.75): in context weighted F1 0.529, alone 0.525 (published text-only bc-LSTM: 0.564 on test)
