//! The module as its resources.

use std::{collections::BTreeMap, fs};

use hcl::{Block, Body, Expression};

/// One block: `resource "TYPE" "NAME" { … }`.
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) body: Body,
}

impl Resource {
    /// An attribute as it is written, without the quotes of a plain string; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> String {
        attribute(&self.body, name)
    }

    /// The first block of this name inside.
    pub(crate) fn block(&self, name: &str) -> Option<&Block> {
        blocks(&self.body, name).into_iter().next()
    }
}

/// The blocks of this name, `dynamic` ones left out.
pub(crate) fn blocks<'a>(body: &'a Body, name: &str) -> Vec<&'a Block> {
    let named = |block: &&Block| block.identifier.as_str() == name;
    body.blocks().filter(named).collect()
}

pub(crate) fn attribute(body: &Body, name: &str) -> String {
    body.attributes()
        .find(|attribute| attribute.key.as_str() == name)
        .map_or_else(String::new, |attribute| written(&attribute.expr))
}

fn written(expression: &Expression) -> String {
    match expression {
        Expression::String(text) => text.clone(),
        Expression::TemplateExpr(template) => template.to_string(),
        other => hcl::format::to_string(other).unwrap(),
    }
}

/// Every resource of the module.
pub(crate) fn resources() -> Vec<Resource> {
    let mut resources = Vec::new();
    for body in bodies() {
        for block in blocks(&body, "resource") {
            let [kind, name] = &block.labels[..] else {
                panic!("a resource without two labels");
            };
            resources.push(Resource {
                kind: kind.as_str().to_owned(),
                name: name.as_str().to_owned(),
                body: block.body.clone(),
            });
        }
    }
    assert!(resources.len() > 20, "the module has lost its resources");
    resources
}

/// The resources of one type.
pub(crate) fn all(kind: &str) -> Vec<Resource> {
    resources().into_iter().filter(|resource| resource.kind == kind).collect()
}

/// Every `locals` value by its name.
pub(crate) fn locals() -> BTreeMap<String, String> {
    let mut locals = BTreeMap::new();
    for body in bodies() {
        for block in blocks(&body, "locals") {
            for attribute in block.body.attributes() {
                locals.insert(attribute.key.to_string(), written(&attribute.expr));
            }
        }
    }
    locals
}

fn bodies() -> Vec<Body> {
    let parse = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        hcl::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    super::files("tf").into_iter().map(parse).collect()
}

/// The text of the module without its comments.
fn text() -> String {
    let mut text = String::new();
    for path in super::files("tf") {
        for line in fs::read_to_string(path).unwrap().lines() {
            text.push_str(line.split('#').next().unwrap_or_default());
            text.push('\n');
        }
    }
    text
}

/// What stands after `before` wherever it does, up to the first letter that no name has.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text.match_indices(before).filter(|(at, _)| {
        let letter_before = text[..*at].chars().next_back();
        !letter_before.is_some_and(|c| is_name(c) || c == '.')
    });
    begins
        .map(|(at, _)| {
            let rest = &text[at + before.len()..];
            &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
        })
        .collect()
}

fn labels(kind: &str) -> Vec<String> {
    let bodies = bodies();
    let found = bodies.iter().flat_map(|body| blocks(body, kind));
    found
        .map(|block| {
            let labels = block.labels.iter().map(hcl::BlockLabel::as_str);
            labels.collect::<Vec<_>>().join(".")
        })
        .collect()
}

#[test]
fn every_variable_and_value_that_is_used_is_declared_and_every_declared_one_is_used() {
    let text = text();
    let mut used: Vec<_> = named(&text, "var.");
    used.sort_unstable();
    used.dedup();
    let mut declared = labels("variable");
    declared.sort();
    assert_eq!(used, declared);
    let mut used: Vec<_> = named(&text, "local.");
    used.sort_unstable();
    used.dedup();
    assert_eq!(used, locals().into_keys().collect::<Vec<_>>());
}

#[test]
fn every_resource_that_is_referred_to_is_there() {
    let text = text();
    let resources = labels("resource");
    let sources = labels("data");
    let mut kinds: Vec<_> =
        resources.iter().map(|label| label.split('.').next().unwrap()).collect();
    kinds.dedup();
    let mut referred = 0;
    for kind in kinds {
        for name in named(&text, &format!("{kind}.")) {
            let label = format!("{kind}.{name}");
            assert!(resources.contains(&label), "{label}");
            referred += 1;
        }
    }
    for rest in named(&text, "data.") {
        assert!(sources.iter().any(|source| source.starts_with(rest)), "{rest}");
        referred += 1;
    }
    assert!(referred > 40, "only {referred} references were seen");
}
