"""
Secrets as they look, made up: put together from parts, so that no scanner takes them for real.

``FORMS`` holds one of each well-known form by the name under which it is taken out.
"""

FORMS: dict[str, str] = {
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nq8Zt==\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3In0.dozjgNryP4J3jVmN",
    "aws_access_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "gitlab_token": "glpat-" + "x9Kq2mZr7TnW4vLb8sYd",
    "slack_token": "xoxb-" + "123456789012-abcdefGHIJ",
    "slack_webhook": "hooks.slack.com/" + "services/T0123/B0123/abcdefghijkl",
    "google_api_key": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "google_token": "ya29." + "a0AfH6SMBx1234567890abcdef",
    "api_key": "sk-" + "ant-api03-R2D2c3po4you5AreMyOnly6Hope",
    "stripe_key": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "registry_token": "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "sendgrid_key": "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKcE1s5cr",
    "bearer": "Bearer " + "mF_9.B5f-4.1JqM",
    "authorization": "authorization: Basic " + "dXNlcjpwYXNzd29yZA==",
}

SECRETS = {
    **FORMS,
    "jwt": FORMS["jwt"].rpartition(".")[0],
    "bearer": "mF_9.B5f-4.1JqM",
    "authorization": "dXNlcjpwYXNzd29yZA==",
}
"""What must be nowhere afterwards, by form."""

VALUE = "correct-horse-battery-7"
"""A secret without a form: only a name can give it away."""

HOLDING = (
    "password passwd Password PASSWORD db_password dbPassword dbpassword PGPASSWORD password2 "
    "password_old new-password password.value passphrase secret client_secret clientSecret "
    "token auth_token accessToken refresh-token GITHUB_TOKEN csrf_token id_token session_token "
    "api_key apiKey apikey API-KEY X-API-Key openai.api.key OPENAI_API_KEY api_key_prod "
    "access_key AWS_SECRET_ACCESS_KEY private_key privateKey signing_key encryption_key "
    "authorization Authorization proxy-authorization authorization_header cookie Set-Cookie "
    "credentials db_pwd MYSQL_PWD passwords api_keys secrets access_tokens"
).split()
"""Names whose values are secrets."""

NOT_HOLDING = (
    "tokens tokens_in tokens_out token_count max_tokens total_tokens token_type token_url "
    "token_ids input_token output_token next_page_token nextPageToken continuation_token "
    "pad_token eos_token special_token delimiter_token price_per_token cancellation_token "
    "password_hint password_policy password_length password_file password_changed_at "
    "secret_name secretary secret_santa_count api_key_id api_key_name access_key_id key_id "
    "authorization_url authorized author authority authentication credentials_file "
    "key keys keyboard monkey primary_key sort_key foreign_key cache_key storage_key public_key "
    "idempotency_key key_count passport passed passenger compass cookiecutter cookie_count "
    "PWD OLD_PWD pwd tokenizer tokenize bearer_name flag_bearer basic_author bypass name"
).split()
"""Names that only sound like it: what stands there is nobody's secret."""
