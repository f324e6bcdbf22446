//! The module as its resources. The roots in `examples/` are tried by `.ci/terraform-try`.

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
    module().into_iter().map(parse).collect()
}

/// The files of the module itself, without those of the roots that call it.
fn module() -> Vec<std::path::PathBuf> {
    let mut files = super::files("tf");
    files.retain(|path| path.parent().is_some_and(|folder| folder.ends_with("deploy/terraform")));
    files
}

/// The text of the module without its comments.
fn text() -> String {
    let mut text = String::new();
    for path in module() {
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

#[test]
fn the_module_has_no_provider_block_and_names_the_project_wherever_it_may() {
    for body in bodies() {
        assert!(blocks(&body, "provider").is_empty(), "a module with a provider takes no for_each");
    }
    // Resources that take their project from what they belong to, and the one that is Terraform's own.
    let elsewhere = [
        "google_service_account_iam_member",
        "google_storage_bucket_iam_member",
        "google_storage_notification",
        "terraform_data",
    ];
    for resource in resources() {
        let named = !resource.get("project").is_empty();
        assert_eq!(named, !elsewhere.contains(&&*resource.kind), "{}", resource.name);
    }
}

#[test]
fn names_that_google_keeps_after_their_removal_differ_between_deployments() {
    let kept = ["google_project_iam_custom_role", "google_cloud_tasks_queue"];
    for resource in resources().into_iter().filter(|one| kept.contains(&&*one.kind)) {
        let name = resource.get("role_id") + &resource.get("name");
        assert!(name.contains("local.suffix"), "{name}");
    }
}

#[test]
fn no_account_loses_a_right_before_its_replacement_is_there() {
    let rights = ["google_storage_bucket_iam_member", "google_cloud_tasks_queue_iam_member"];
    for resource in resources().into_iter().filter(|one| rights.contains(&&*one.kind)) {
        let lifecycle = resource.block("lifecycle").expect(&resource.name);
        assert_eq!(attribute(&lifecycle.body, "create_before_destroy"), "true");
    }
}

#[test]
fn images_are_deployed_by_their_digests() {
    let runs = ["google_cloud_run_v2_service", "google_cloud_run_v2_job"];
    let mut seen = 0;
    for resource in resources().into_iter().filter(|one| runs.contains(&&*one.kind)) {
        let mut template = resource.block("template").unwrap();
        if let Some(inner) = blocks(&template.body, "template").first() {
            template = inner;
        }
        let container = blocks(&template.body, "containers")[0];
        assert!(attribute(&container.body, "image").starts_with("local.digests["));
        seen += 1;
    }
    assert_eq!(seen, 3);
}
