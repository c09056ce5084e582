//! What single environments do not take, while others do. No client, no clock, no logging.

use super::ResyncError;
use crate::record::RecordError;

/// The first reason why something was left for the next round, if something was.
#[derive(Debug, Default)]
pub(super) struct Left(Option<ResyncError>);

impl Left {
    /// Goes past what one environment alone does not take, and says whether it was taken. What keeps everything from being
    /// recorded ends the round.
    pub(super) fn past(&mut self, taken: Result<(), ResyncError>) -> Result<bool, ResyncError> {
        match taken {
            Ok(()) => Ok(true),
            Err(error) if is_of_one(&error) => {
                self.0.get_or_insert(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether everything was taken.
    pub(super) const fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    /// Ends well where everything was taken.
    pub(super) fn end(self) -> Result<(), ResyncError> {
        self.0.map_or(Ok(()), Err)
    }
}

fn is_of_one(error: &ResyncError) -> bool {
    match error {
        ResyncError::Full(_) => true,
        ResyncError::Record(error) => match error {
            RecordError::Going(_) | RecordError::Conflict(_) | RecordError::Refused { .. } | RecordError::Invalid { .. } => true,
            RecordError::Throttled(_) | RecordError::Unavailable { .. } => false,
        },
        ResyncError::Forge(_) | ResyncError::Brake(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_environment_refuses_is_passed_and_told_at_the_end_and_what_all_refuse_ends_it() {
        let name = || "shop/web-pr-1".to_owned();
        for (error, passed) in [
            (ResyncError::Full(name()), true),
            (RecordError::Going(name()).into(), true),
            (RecordError::Conflict(name()).into(), true),
            (RecordError::Refused { environment: name(), why: "quota".into() }.into(), true),
            (RecordError::Invalid { environment: name(), why: "too long".into() }.into(), true),
            (RecordError::Throttled(name()).into(), false),
            (RecordError::Unavailable { environment: name(), why: "503".into() }.into(), false),
        ] {
            let (mut left, said) = (Left::default(), error.to_string());
            assert!(left.past(Ok(())).unwrap() && left.is_nothing());
            match left.past(Err(error)) {
                Ok(taken) => {
                    assert_eq!((taken, passed, left.is_nothing()), (false, true, false), "{said}");
                    assert!(left.past(Err(ResyncError::Full("shop/web-pr-2".into()))).is_ok());
                    assert_eq!(left.end().unwrap_err().to_string(), said, "the first is told");
                }
                Err(error) => assert_eq!((passed, error.to_string()), (false, said)),
            }
        }
    }
}
