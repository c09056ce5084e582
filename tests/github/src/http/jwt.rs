//! The tokens that an App signs for itself.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;
use crate::model::{App, Model};

/// The longest that such a token may live, in seconds, as GitHub documents it.
const LONGEST_LIFE: i64 = 600;

/// How far GitHub lets the clocks of others be ahead, in seconds.
const TOLERANCE: i64 = 60;

#[derive(Deserialize)]
struct Claims {
    /// The App's id, as text or as a number.
    iss: Value,
    iat: i64,
    exp: i64,
}

/// The App that signed the token, by the double's own clock.
pub(super) fn app(model: &Model, token: &str, now: DateTime<Utc>) -> Result<u64, Answer> {
    let claims = unverified(token).ok_or_else(undecodable)?;
    let id = claims.iss.as_u64().or_else(|| claims.iss.as_str()?.parse().ok());
    let app = id.and_then(|id| model.apps.get(&id)).ok_or_else(|| Answer::error(404, "Integration not found"))?;
    verified(app, token).ok_or_else(undecodable)?;
    in_time(&claims, now.timestamp())?;
    Ok(app.id)
}

fn in_time(claims: &Claims, now: i64) -> Result<(), Answer> {
    let wrong = |message| Err(Answer::error(401, message));
    if claims.iat > now + TOLERANCE {
        return wrong("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
    }
    if claims.exp <= now {
        return wrong(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        );
    }
    if claims.exp > now + LONGEST_LIFE || claims.exp - claims.iat > LONGEST_LIFE + TOLERANCE {
        return wrong("'Expiration time' claim ('exp') is too far in the future");
    }
    Ok(())
}

fn undecodable() -> Answer {
    Answer::error(401, "A JSON web token could not be decoded")
}

/// What the token says of itself, to learn whose key it is to be checked with.
fn unverified(token: &str) -> Option<Claims> {
    jsonwebtoken::dangerous::insecure_decode::<Claims>(token).ok().map(|read| read.claims)
}

fn verified(app: &App, token: &str) -> Option<()> {
    let key = DecodingKey::from_rsa_pem(app.public_key.as_bytes()).ok()?;
    let mut how = Validation::new(Algorithm::RS256);
    // Times are judged by the double's own clock.
    (how.validate_exp, how.validate_nbf, how.validate_aud) = (false, false, false);
    how.required_spec_claims.clear();
    decode::<Claims>(token, &key, &how).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_judged_as_github_does() {
        let said = |iat, exp| in_time(&Claims { iss: Value::Null, iat, exp }, 1_000).err().map(|answer| answer.status);
        assert_eq!(said(940, 1_540), None, "a minute back, as GitHub recommends");
        assert_eq!(said(1_060, 1_600), None, "a clock that is a little ahead");
        assert_eq!(said(1_061, 1_600), Some(401), "issued in the future");
        assert_eq!(said(400, 1_000), Some(401), "over");
        assert_eq!(said(1_000, 1_601), Some(401), "too far ahead");
    }
}
