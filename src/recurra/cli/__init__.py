"""The front desk: one file per verb, each command beside the function of the same name in the API."""
