"""What no stack may do: rules as plain functions, for the policy pack, the change report and the tests."""
