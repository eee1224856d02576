//! The modules of a crate, read from its source: what each defines, and what it names of others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemUse, Macro, UseTree, Visibility,
    visit::{self, Visit},
};

/// The segments of a module below its crate; none for the root.
pub(crate) type Name = Vec<String>;

/// Contents of a module, tests left out.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Functions, types, constants and macros that are defined in it.
    pub(crate) items: BTreeSet<String>,
    /// Modules declared in it that others may name.
    pub(crate) shown: BTreeSet<String>,
    /// What its `use` declarations bring in.
    pub(crate) imports: Vec<Import>,
    /// Paths of its code that begin with `crate`, `self` or `super`.
    pub(crate) paths: Vec<Vec<String>>,
}

/// A leaf of a `use` declaration.
#[derive(Debug)]
pub(crate) struct Import {
    /// The name that it has here; `None` for `*`.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    /// It passes on to others what it names, and needs nothing of it.
    pub(crate) is_reexport: bool,
}

/// All modules of the crate whose root is this file.
pub(crate) fn read(root: &Path) -> anyhow::Result<BTreeMap<Name, Module>> {
    let mut modules = BTreeMap::new();
    read_file(root, &Name::new(), &mut modules)?;
    Ok(modules)
}

fn read_file(file: &Path, name: &Name, modules: &mut BTreeMap<Name, Module>) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
    read_items(&parsed.items, file, name, modules)
}

fn read_items(
    items: &[Item],
    file: &Path,
    name: &Name,
    modules: &mut BTreeMap<Name, Module>,
) -> anyhow::Result<()> {
    let mut module = Module::default();
    for item in items {
        let (attributes, defined) = described(item);
        if attributes.iter().any(is_test) {
            continue;
        }
        module.items.extend(defined);
        let Item::Mod(inner) = item else {
            module.visit_item(item);
            continue;
        };
        if !matches!(inner.vis, Visibility::Inherited) {
            module.shown.insert(inner.ident.to_string());
        }
        let child = [name.as_slice(), &[inner.ident.to_string()]].concat();
        match &inner.content {
            Some((_, items)) => read_items(items, file, &child, modules)?,
            None => read_file(&file_of(file, &inner.ident.to_string()), &child, modules)?,
        }
    }
    modules.insert(name.clone(), module);
    Ok(())
}

/// Where `mod name;` in `file` is found.
fn file_of(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default();
    let folder = match stem.to_str() {
        Some("lib" | "mod" | "main") => file.with_file_name(""),
        _ => file.with_file_name(stem),
    };
    let flat = folder.join(format!("{name}.rs"));
    if flat.exists() { flat } else { folder.join(name).join("mod.rs") }
}

/// The attributes of an item, and the name that it defines.
fn described(item: &Item) -> (&[Attribute], Option<String>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Enum(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Fn(item) => (&item.attrs, Some(item.sig.ident.to_string())),
        Item::Static(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Struct(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Trait(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Type(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Union(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref().map(ToString::to_string)),
        Item::Mod(item) => (&item.attrs, None),
        Item::Impl(item) => (&item.attrs, None),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let Ok(list) = attribute.meta.require_list() else { return false };
    list.path.is_ident("cfg") && list.tokens.to_string() == "test"
}

impl Module {
    fn add_tree(&mut self, tree: &UseTree, path: &[String], is_reexport: bool) {
        let with = |ident: &syn::Ident| [path, &[ident.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(inner) => {
                return self.add_tree(&inner.tree, &with(&inner.ident), is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, path, is_reexport);
                }
                return;
            }
            UseTree::Name(leaf) if leaf.ident == "self" => (path.last().cloned(), path.to_vec()),
            UseTree::Name(leaf) => (Some(leaf.ident.to_string()), with(&leaf.ident)),
            UseTree::Rename(leaf) => (Some(leaf.rename.to_string()), with(&leaf.ident)),
            UseTree::Glob(_) => (None, path.to_vec()),
        };
        self.imports.push(Import { name, path, is_reexport });
    }

    fn add_path(&mut self, segments: Vec<String>) {
        let is_ours = matches!(segments[0].as_str(), "crate" | "self" | "super");
        if is_ours && segments.len() > 1 {
            self.paths.push(segments);
        }
    }

    /// Macros are not parsed: their paths are found by how they look.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && colons < 2 => colons += 1,
                token => {
                    if !path.is_empty() {
                        self.add_path(std::mem::take(&mut path));
                    }
                    colons = 0;
                    match token {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        if !path.is_empty() {
            self.add_path(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        self.add_tree(&item.tree, &[], is_reexport);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.add_path(item.path.segments.iter().map(|one| one.ident.to_string()).collect());
        self.add_tokens(item.tokens.clone());
    }

    /// `pub(in path)` needs nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
