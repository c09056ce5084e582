//! Tokens of the baseline's ServiceAccounts: the API server fills them by itself, and they would act as the baseline.
//! <https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets>

use super::Facts;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    let is_token = is_kind(object, "", "Secret") && object.text("/type") == Some("kubernetes.io/service-account-token");
    is_token.then(|| LeftOutReason::Refused { path: "type".to_owned(), what: "a token of the baseline's ServiceAccount" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn a_token_is_never_copied() {
        let token = object("v1", "Secret", "t").with("/type", json!("kubernetes.io/service-account-token"));
        assert_eq!(World::of([token]).plan().said(), ["Secret/t left out: asks for a token of the baseline's ServiceAccount (type)"]);
    }
}
