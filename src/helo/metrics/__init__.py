"""One file a metric: statistics(answer, reference) → a vector that adds up; score(sum) → figures."""
