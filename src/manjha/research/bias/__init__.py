"""Look-ahead and leak detector: does anything that was decided change when only what came later changes?"""
