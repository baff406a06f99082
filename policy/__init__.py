"""What no stack may do, as rules that are plain functions: for the policy pack, the change report and the tests."""
