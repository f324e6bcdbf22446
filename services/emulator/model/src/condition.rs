//! Preconditions: which generation and metageneration must be live, or must not be.

use crate::{
    object::Object,
    refusal::{Kind, Refusal, Result},
};

/// What must hold of the live object before a call is applied. All given ones must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// This generation is live; 0: none is.
    pub generation_match: Option<i64>,
    /// This generation is not live; 0: some generation is.
    pub generation_not_match: Option<i64>,
    /// An object is live and has this metageneration.
    pub metageneration_match: Option<i64>,
    /// No object is live, or it has another metageneration.
    pub metageneration_not_match: Option<i64>,
}

impl Conditions {
    /// Before a write.
    pub(crate) fn check(&self, live: Option<&Object>) -> Result<()> {
        if self.matches_hold(live) && self.not_matches_hold(live) {
            Ok(())
        } else {
            Err(Refusal::precondition())
        }
    }

    /// Before a read or a deletion, where a failed not-match means that the caller knows the object already.
    pub(crate) fn check_read(&self, live: &Object) -> Result<()> {
        if !self.matches_hold(Some(live)) {
            Err(Refusal::precondition())
        } else if !self.not_matches_hold(Some(live)) {
            Err(Refusal::new(Kind::NotModified, "Not Modified"))
        } else {
            Ok(())
        }
    }

    fn matches_hold(&self, live: Option<&Object>) -> bool {
        let generation = live.map_or(0, |object| object.generation);
        let metageneration = live.map(|object| object.metageneration);
        self.generation_match.is_none_or(|want| want == generation)
            && self.metageneration_match.is_none_or(|want| Some(want) == metageneration)
    }

    fn not_matches_hold(&self, live: Option<&Object>) -> bool {
        let generation = live.map_or(0, |object| object.generation);
        let metageneration = live.map(|object| object.metageneration);
        self.generation_not_match.is_none_or(|not| not != generation)
            && self.metageneration_not_match.is_none_or(|not| Some(not) != metageneration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, object::Attributes};

    fn live() -> Object {
        let mut object = Object::new("n", 7, Digest::new(b""), Attributes::default());
        object.metageneration = 3;
        object
    }

    fn holds(conditions: Conditions, live: Option<&Object>) -> bool {
        conditions.check(live).is_ok()
    }

    #[test]
    fn no_condition_always_holds() {
        assert!(holds(Conditions::default(), None));
        assert!(holds(Conditions::default(), Some(&live())));
    }

    #[test]
    fn generation_zero_means_that_nothing_is_there() {
        let nothing = Conditions { generation_match: Some(0), ..Conditions::default() };
        assert!(holds(nothing, None));
        assert!(!holds(nothing, Some(&live())));
        let something = Conditions { generation_not_match: Some(0), ..Conditions::default() };
        assert!(!holds(something, None));
        assert!(holds(something, Some(&live())));
    }

    #[test]
    fn generations_are_compared_with_the_live_one() {
        for (want, met) in [(7, true), (8, false)] {
            let same = Conditions { generation_match: Some(want), ..Conditions::default() };
            assert_eq!(holds(same, Some(&live())), met);
            let other = Conditions { generation_not_match: Some(want), ..Conditions::default() };
            assert_eq!(holds(other, Some(&live())), !met);
            assert!(!holds(same, None));
            assert!(holds(other, None));
        }
    }

    #[test]
    fn metagenerations_are_compared_with_the_live_one() {
        for (want, met) in [(3, true), (4, false)] {
            let same = Conditions { metageneration_match: Some(want), ..Conditions::default() };
            assert_eq!(holds(same, Some(&live())), met);
            let other =
                Conditions { metageneration_not_match: Some(want), ..Conditions::default() };
            assert_eq!(holds(other, Some(&live())), !met);
            assert!(!holds(same, None));
        }
    }

    #[test]
    fn a_read_of_what_the_caller_knows_is_not_modified() {
        let known = Conditions { generation_not_match: Some(7), ..Conditions::default() };
        assert_eq!(known.check_read(&live()).unwrap_err().kind, Kind::NotModified);
        let wrong = Conditions { generation_match: Some(8), ..known };
        assert_eq!(wrong.check_read(&live()).unwrap_err().kind, Kind::Precondition);
    }
}
