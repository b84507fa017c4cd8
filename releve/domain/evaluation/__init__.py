"""How good predictions are: metrics, intervals, baselines, slices, fairness."""
