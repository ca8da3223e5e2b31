"""The planner compares what is desired with what is observed; a plan is a list of actions."""
