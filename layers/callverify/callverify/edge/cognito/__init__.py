"""Between a Cognito user pool and the service: a sign-in whose custom challenge is a verification."""
