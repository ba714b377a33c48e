"""PyJWT's opinion of tokens: one a line on standard input, as a JSON string, and one verdict a line
on standard output. The arguments are issuer, audience and key document.
"""

import json
import sys

import jwt

ISSUER, AUDIENCE, DOCUMENT = sys.argv[1:]

# All that this version has, but for `strict_aud`: it refuses every array, which `aud` may be.
OPTIONS = {
    "verify_signature": True,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": True,
    "verify_aud": True,
    "verify_iss": True,
    "verify_sub": True,
    "verify_jti": True,
    "require": ["exp", "iss", "aud"],
    "enforce_minimum_key_length": True,
}


class GivenKeys(jwt.PyJWKClient):
    """Finds keys as PyJWT does for keys that are published, without the network."""

    def fetch_data(self):
        return json.loads(DOCUMENT)


KEYS = GivenKeys("https://keys.invalid/")


def judge(token):
    try:
        key = KEYS.get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=30,
            options=OPTIONS,
        )
    except jwt.PyJWTError as error:
        return {"verdict": "refused", "reason": f"{type(error).__name__}: {error}"}
    except Exception as error:
        return {"verdict": "crashed", "reason": f"{type(error).__name__}: {error}"}
    return {"verdict": "accepted", "kid": key.key_id, "claims": json.dumps(claims)}


for line in sys.stdin.buffer:
    print(json.dumps(judge(json.loads(line))))
