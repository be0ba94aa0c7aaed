"""What a planner draws: structures, their outlines, and solids from stacks of them."""
