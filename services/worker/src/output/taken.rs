//! What becomes of a name that is taken.

use brigade_storage::{Object, provenance};

use super::source::Source;

/// What becomes of an output whose name another object's output has, or an object that no worker wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Taken {
    /// It is written beside it, with the generation of its object in its name.
    #[default]
    Keep,
    /// The object fails.
    Refuse,
    /// It is replaced.
    Replace,
}

/// Whose output is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// This run's own.
    Own,
    /// That of another run of the same bytes, which may have been accepted.
    SameGeneration,
    /// That of an earlier upload of the same object, which may have been accepted.
    Older,
    /// Another object's, on purpose.
    Other,
}

/// What a look at a taken name means for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// This run wrote it, and the response was lost.
    Written,
    /// A run of the same object left it, or it is replaced on purpose.
    Replace(Replaced),
    /// A run of a newer upload of the same object wrote it.
    Superseded,
    /// It is another object's, or was not written by a worker.
    Taken,
}

/// Decides by the marks of what is there.
///
/// An output of another run is replaced even when it is identical: that run may yet fail, and would remove it by its
/// generation.
pub(super) fn decide(
    live: &Object,
    source: &Source,
    run: &str,
    is_identical: bool,
    taken: Taken,
) -> Decision {
    let origin = provenance::origin(&live.metadata).filter(|origin| source.is_same_object(origin));
    let of_this_run = live.metadata.get(provenance::RUN).is_some_and(|of| of == run);
    match origin {
        Some(origin) if origin.generation > source.generation => Decision::Superseded,
        Some(_) if of_this_run && is_identical => Decision::Written,
        Some(origin) => Decision::Replace(match origin.generation == source.generation {
            true if of_this_run => Replaced::Own,
            true => Replaced::SameGeneration,
            false => Replaced::Older,
        }),
        None if taken == Taken::Replace => Decision::Replace(Replaced::Other),
        None => Decision::Taken,
    }
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1;
    use brigade_sim::Sim;
    use brigade_storage::{NewObject, Pinned};

    use super::*;

    const RUN: &str = "0123456789abcdef";
    const OTHER_RUN: &str = "fedcba9876543210";

    /// An output of this object's generation and run; nothing when no worker wrote it.
    fn output(of: Option<(&str, i64, &str)>) -> Object {
        let mut new = NewObject::default();
        if let Some((name, generation, run)) = of {
            let key = provenance::key("data", Pinned { name, generation });
            new.metadata.insert(provenance::KEY.to_owned(), key);
            new.metadata.insert(provenance::RUN.to_owned(), run.to_owned());
        }
        Sim::new().with_bucket("data").upload_new("data", "out/x", new).unwrap()
    }

    #[test]
    fn only_outputs_of_the_same_object_are_replaced_and_never_by_an_older_upload() {
        let object = v1::Object {
            bucket: "data".into(),
            name: "in/x".into(),
            generation: 7,
            ..v1::Object::default()
        };
        let source = Source::new(&object, None);
        let replace = Decision::Replace;
        for (of, is_identical, expected) in [
            (Some(("in/x", 7, RUN)), true, Decision::Written),
            (Some(("in/x", 7, RUN)), false, replace(Replaced::Own)),
            (Some(("in/x", 7, OTHER_RUN)), true, replace(Replaced::SameGeneration)),
            (Some(("in/x", 7, OTHER_RUN)), false, replace(Replaced::SameGeneration)),
            (Some(("in/x", 6, OTHER_RUN)), true, replace(Replaced::Older)),
            (Some(("in/x", 8, OTHER_RUN)), true, Decision::Superseded),
            (Some(("in/y", 7, OTHER_RUN)), true, Decision::Taken),
            (Some(("in/y", 6, RUN)), true, Decision::Taken),
            (None, true, Decision::Taken),
        ] {
            let live = output(of);
            for taken in [Taken::Keep, Taken::Refuse, Taken::Replace] {
                let expected = match expected {
                    Decision::Taken if taken == Taken::Replace => replace(Replaced::Other),
                    other => other,
                };
                let decision = decide(&live, &source, RUN, is_identical, taken);
                assert_eq!(decision, expected, "{of:?} {taken:?}");
            }
        }
    }
}
