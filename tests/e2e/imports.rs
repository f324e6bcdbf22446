//! No files of a crate import each other in a ring, but for a parent and its own children.
//!
//! An import is a path that begins with `crate`, `super`, `self` or a child's name, in a `use` or anywhere else, and leads
//! to the file that defines what it names: re-exports are followed. Test modules are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Item, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::edges::metadata;

/// A module's path below its crate's root.
type Module = Vec<String>;

#[derive(Default)]
struct Source {
    defines: BTreeSet<String>,
    /// What a `use` names here, and the path behind it.
    names: BTreeMap<String, Module>,
    globs: Vec<Module>,
    /// Paths that begin with `crate`, `super` or `self`, or in a `use`, and whether they are a re-export.
    paths: Vec<(Module, bool)>,
    /// The module whose file this one is written in.
    file: Module,
}

#[derive(Default)]
struct Sources(BTreeMap<Module, Source>);

impl Sources {
    fn read(root: &Path) -> Self {
        let mut sources = Self::default();
        let directory = root.parent().unwrap();
        sources.module(&[], &[], root, directory);
        sources
    }

    /// One file. Its modules are in `directory`.
    fn module(&mut self, module: &[String], file: &[String], path: &Path, directory: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.items(module, file, parsed.items, directory);
    }

    fn items(&mut self, module: &[String], file: &[String], items: Vec<Item>, directory: &Path) {
        let mut source = Source { file: file.to_vec(), ..Source::default() };
        for item in &items {
            let (attributes, name) = parts(item);
            if for_tests(attributes) {
                continue;
            }
            source.defines.extend(name.map(ToString::to_string));
            match item {
                Item::Use(item) => source.imports(
                    &mut Vec::new(),
                    &item.tree,
                    !matches!(item.vis, Visibility::Inherited),
                ),
                Item::Mod(_) => {}
                other => source.visit_item(other),
            }
        }
        self.0.insert(module.to_vec(), source);
        for item in items {
            let Item::Mod(item) = item else { continue };
            let name = item.ident.to_string();
            if for_tests(&item.attrs) || name == "tests" {
                continue;
            }
            let child = [module, std::slice::from_ref(&name)].concat();
            let below = directory.join(&name);
            if let Some((_, items)) = item.content {
                self.items(&child, file, items, &below);
                continue;
            }
            let path: PathBuf = [below.with_extension("rs"), below.join("mod.rs")]
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("no file for {}", child.join("::")));
            self.module(&child, &child, &path, &below);
        }
    }

    /// The path from the crate's root, or none when it leaves the crate.
    fn absolute(&self, from: &[String], path: &[String]) -> Option<Module> {
        let (mut base, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from.to_vec(), path),
            child => {
                let below = [from, &[child.to_owned()]].concat();
                return self.0.contains_key(&below).then(|| [from, path].concat());
            }
        };
        while rest.first().is_some_and(|first| first == "super") {
            base.pop();
            rest = &rest[1..];
        }
        Some([&base, rest].concat())
    }

    /// The file that defines what an absolute path names.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let modules = (0..=path.len()).rev();
        let length = modules.into_iter().find(|length| self.0.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let source = &self.0[module];
        let Some(name) = rest.first().filter(|name| !source.defines.contains(*name)) else {
            return Some(source.file.clone());
        };
        if depth == 0 {
            return None;
        }
        let follow = |to: &[String]| {
            let to = self.absolute(module, to)?;
            self.file_of(&[&to, &rest[1..]].concat(), depth - 1)
        };
        if let Some(to) = source.names.get(name) {
            return follow(to);
        }
        source.globs.iter().find_map(|glob| {
            let to = [glob.as_slice(), std::slice::from_ref(name)].concat();
            follow(&to)
        })
    }

    /// Which file imports from which.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut imports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, source) in &self.0 {
            for (path, reexport) in &source.paths {
                let Some(path) = self.absolute(module, path) else {
                    continue;
                };
                let Some(to) = self.file_of(&path, 8) else {
                    continue;
                };
                // A parent that passes on what its children define does not use it.
                if to != source.file && !(*reexport && to.starts_with(&source.file)) {
                    imports.entry(source.file.clone()).or_default().insert(to);
                }
            }
        }
        imports
    }
}

impl Source {
    fn imports(&mut self, before: &mut Module, tree: &UseTree, reexport: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.imports(before, &path.tree, reexport);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.imports(before, tree, reexport);
                }
            }
            UseTree::Glob(_) => {
                self.globs.push(before.clone());
                self.paths.push((before.clone(), reexport));
            }
            UseTree::Name(name) => self.name(before, &name.ident, &name.ident, reexport),
            UseTree::Rename(rename) => self.name(before, &rename.ident, &rename.rename, reexport),
        }
    }

    fn name(&mut self, before: &Module, name: &syn::Ident, here: &syn::Ident, reexport: bool) {
        let mut path = before.clone();
        if name == "self" {
            let last = path.last().cloned().unwrap_or_default();
            let here = if here == "self" { last } else { here.to_string() };
            self.names.insert(here, path.clone());
        } else {
            path.push(name.to_string());
            self.names.insert(here.to_string(), path.clone());
        }
        self.paths.push((path, reexport));
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Module = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if segments.len() > 1 && segments[0] != "Self" {
            self.paths.push((segments, false));
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::a)` names who may use it, and uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.imports(&mut Vec::new(), &item.tree, false);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// An item's attributes, and the name that it defines, if any.
fn parts(item: &Item) -> (&[syn::Attribute], Option<&syn::Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Impl(item) => (&item.attrs, None),
        Item::Mod(item) => (&item.attrs, None),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

/// The sets of files of which each reaches every other by imports.
fn rings(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reach = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(file) = next.pop() {
            for to in imports.get(file).into_iter().flatten() {
                if reached.insert(to.clone()) {
                    next.push(to);
                }
            }
        }
        reached
    };
    let reach: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|file| (file, reach(file))).collect();
    let both = |file: &Module, other: &Module| {
        reach[file].contains(other) && reach.get(other).is_some_and(|back| back.contains(file))
    };
    let files = reach.keys().filter(|file| both(file, file));
    files
        .map(|file| {
            let others = reach.keys().filter(|other| both(file, other));
            others.map(|other| (*other).clone()).collect()
        })
        .collect()
}

/// A ring is allowed when its one head is above all the others, each beside its own parent, and the ring is none without
/// what parents and their own children import from each other.
fn is_family(ring: &BTreeSet<Module>, imports: &BTreeMap<Module, BTreeSet<Module>>) -> bool {
    let parent = |file: &Module| file.split_last().map(|(_, parent)| parent.to_vec());
    let heads =
        ring.iter().filter(|file| parent(file).is_none_or(|parent| !ring.contains(&parent)));
    let related =
        |a: &Module, b: &Module| parent(a).as_ref() == Some(b) || parent(b).as_ref() == Some(a);
    let rest = ring.iter().map(|file| {
        let to = imports[file].iter();
        let to = to.filter(|to| ring.contains(*to) && !related(file, to));
        (file.clone(), to.cloned().collect())
    });
    heads.count() == 1 && rings(&rest.collect()).is_empty()
}

fn show(ring: &BTreeSet<Module>, imports: &BTreeMap<Module, BTreeSet<Module>>) -> String {
    let name = |file: &Module| format!("crate::{}", file.join("::"));
    let lines = ring.iter().map(|file| {
        let to: Vec<_> = imports[file].intersection(ring).map(name).collect();
        format!("  {} imports {}\n", name(file), to.join(", "))
    });
    lines.collect()
}

fn forbidden(root: &Path) -> Vec<String> {
    let imports = Sources::read(root).imports();
    let rings = rings(&imports).into_iter();
    rings.filter(|ring| !is_family(ring, &imports)).map(|ring| show(&ring, &imports)).collect()
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_ring() {
    let metadata = metadata();
    let mut found = BTreeMap::new();
    let mut crates = 0;
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            if target["kind"][0] == "lib" || target["kind"][0] == "bin" {
                crates += 1;
                let rings = forbidden(Path::new(target["src_path"].as_str().unwrap()));
                if !rings.is_empty() {
                    found.insert(package["name"].as_str().unwrap(), rings.join("\n"));
                }
            }
        }
    }
    assert!(crates > 8, "{crates} crates are read");
    assert!(found.is_empty(), "rings of imports: {found:#?}");
}
