//! Every file of a data folder is removed, emptied, cut in half, and has one bit flipped; every folder
//! is removed, and gets foreign company. What is truth is refused by name and left as it is, or complete; what is
//! derived is built again; and when the damage is undone, everything is as it was.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use mercer_tests::{
    folder::{Damage, contents, copy, differences, files, folders},
    random::{Random, seed},
    single::Started,
};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    is_slow,
    shop::{Bench, By, Shop, add_users, check_seen},
};

/// Cases of which one is tried, unless all are.
const SAMPLE: usize = 24;
/// Cases at once.
const AT_ONCE: usize = 2;
const PRISTINE: &str = "pristine";
/// Whose absence every message of a refusal would miss: what to do.
const ADVICE: [&str; 4] = ["restore", "rebuild", "salvage", "name another"];

/// Harm to a folder.
#[derive(Clone, Debug)]
enum Harm {
    /// Damage to one of the folder's files.
    Damaged(PathBuf, Damage),
    /// A folder inside is gone with all that was in it.
    Gone(PathBuf),
    /// Something of somebody else's lies in one of its folders: a file, and a folder with one.
    Foreign(PathBuf),
}

/// Part that a path plays in a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It cannot be made again from anything else in the folder.
    Truth,
    /// Locked while the folder is in use; what is in it says nothing.
    Lock,
    /// Trained files: a version stands in for another one.
    Artifact,
    /// Made again from log and artifacts.
    Derived,
    /// Says which release may read the folder of a worker.
    WorkerFormat,
}

impl Part {
    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default();
        let top = path.iter().next().unwrap_or_default().to_string_lossy();
        match &*top {
            _ if name == "lock" || top == "metadata.lock" => Self::Lock,
            "artifacts" => Self::Artifact,
            _ if top.starts_with("worker-") && name == "FORMAT" => Self::WorkerFormat,
            _ if top.starts_with("worker-") => Self::Derived,
            _ => Self::Truth,
        }
    }

    fn may_be_refused(self) -> bool {
        matches!(self, Self::Truth | Self::WorkerFormat)
    }
}

/// What may change although a start is refused: locks, and the copy of metadata that was looked at.
fn is_scratch(path: &Path) -> bool {
    Part::of(path) == Part::Lock || path.starts_with("metadata.opening")
}

/// Outcome of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Nothing was changed by it.
    Nothing,
    Refused,
    /// Served with all answers as before.
    Complete,
    /// Served, and a version before or what sells most answered, and said so.
    Fallback,
}

/// Copy of the pristine folder that comes to harm.
struct Case {
    name: String,
    harm: Harm,
}

impl Case {
    async fn run(&self, bench: &Bench, shop: &Shop) -> anyhow::Result<Outcome> {
        let folder = bench.path(&self.name);
        copy(&bench.path(PRISTINE), &folder)?;
        let outcome = self.try_in(bench, shop, &folder).await;
        fs::remove_dir_all(&folder)?;
        outcome
    }

    async fn try_in(&self, bench: &Bench, shop: &Shop, folder: &Path) -> anyhow::Result<Outcome> {
        if !self.strike(folder)? {
            return Ok(Outcome::Nothing);
        }
        let struck = contents(folder)?;
        let single = bench.single(&self.name);
        let mut probes = Vec::new();
        let outcome = match single.start().await? {
            Started::Refused(said) => {
                self.check_refusal(&said)?;
                let changed = self.changed(&struck, &contents(folder)?);
                ensure!(changed.is_empty(), "{said}\nchanged although refused: {changed:?}");
                Outcome::Refused
            }
            Started::Serving(mut running) => {
                shop.check_facts(&running).await?;
                let by = shop.until_answered(&mut running).await?;
                probes = add_users(&running.connect().await?, "probe", 2).await?;
                ensure!(by == By::Version || self.may_fall_back(), "a fallback answers");
                running.stop().await?;
                self.check_company(folder)?;
                if by == By::Version { Outcome::Complete } else { Outcome::Fallback }
            }
        };
        self.undo(&bench.path(PRISTINE), folder)?;
        let again = async {
            let mut running = single.serve().await?;
            shop.check_facts(&running).await?;
            check_seen(&running.connect().await?, &probes).await?;
            shop.until_served(&mut running).await?;
            running.kill()
        };
        again.await.with_context(|| format!("after {outcome:?}, when it was undone"))?;
        Ok(outcome)
    }

    /// Whether anything was changed.
    fn strike(&self, folder: &Path) -> anyhow::Result<bool> {
        match &self.harm {
            Harm::Damaged(path, damage) => damage.strike(&folder.join(path)),
            Harm::Gone(path) => {
                fs::remove_dir_all(folder.join(path))?;
                Ok(true)
            }
            Harm::Foreign(below) => {
                for company in company(&folder.join(below)) {
                    fs::create_dir_all(company.parent().context("below a folder")?)?;
                    fs::write(company, "not Mercer's")?;
                }
                Ok(true)
            }
        }
    }

    fn undo(&self, pristine: &Path, folder: &Path) -> anyhow::Result<()> {
        match &self.harm {
            Harm::Damaged(path, _) => {
                let place = folder.join(path);
                fs::create_dir_all(place.parent().context("below a folder")?)?;
                fs::copy(pristine.join(path), place)?;
            }
            Harm::Gone(path) => {
                let place = folder.join(path);
                if place.exists() {
                    fs::remove_dir_all(&place)?;
                }
                copy(&pristine.join(path), &place)?;
            }
            Harm::Foreign(below) => {
                let [file, inner] = company(&folder.join(below));
                fs::remove_file(file)?;
                fs::remove_dir_all(inner.parent().context("below a folder")?)?;
            }
        }
        Ok(())
    }

    /// The path that came to harm.
    fn struck(&self) -> Option<&Path> {
        match &self.harm {
            Harm::Damaged(path, _) | Harm::Gone(path) => Some(path),
            Harm::Foreign(_) => None,
        }
    }

    fn may_fall_back(&self) -> bool {
        self.struck().is_some_and(|path| Part::of(path) == Part::Artifact)
    }

    /// Fails unless the start may be refused, and the message says of what and what to do.
    fn check_refusal(&self, said: &str) -> anyhow::Result<()> {
        let Some(path) = self.struck() else { bail!("refused: {said}") };
        ensure!(Part::of(path).may_be_refused(), "refused: {said}");
        let top = path.iter().next().unwrap_or_default().to_string_lossy();
        let names = [format!("{}/{top}", self.name), format!("the {top} folder")];
        ensure!(
            names.iter().any(|name| said.contains(name)),
            "the message does not name `{top}`: {said}"
        );
        ensure!(ADVICE.iter().any(|advice| said.contains(advice)), "no advice: {said}");
        Ok(())
    }

    /// What a refused start changed and should not. The folder of a worker is looked at when those
    /// of the coordinator are open.
    fn changed(
        &self,
        before: &BTreeMap<PathBuf, Vec<u8>>,
        after: &BTreeMap<PathBuf, Vec<u8>>,
    ) -> Vec<PathBuf> {
        let mut changed = differences(before, after);
        changed.retain(|path| !is_scratch(path));
        if let Some(struck) = self.struck()
            && Part::of(struck) == Part::WorkerFormat
        {
            let own = struck.parent();
            changed.retain(|path| own.is_some_and(|folder| path.starts_with(folder)));
        }
        changed
    }

    /// Fails unless what is somebody else's is still there.
    fn check_company(&self, folder: &Path) -> anyhow::Result<()> {
        let Harm::Foreign(below) = &self.harm else { return Ok(()) };
        for company in company(&folder.join(below)) {
            let content = fs::read(&company);
            let content = content.with_context(|| format!("{} was removed", company.display()))?;
            ensure!(content == b"not Mercer's", "{} was changed", company.display());
        }
        Ok(())
    }
}

/// A foreign file in a folder, and one in a foreign folder in it.
fn company(folder: &Path) -> [PathBuf; 2] {
    [folder.join("notes.txt"), folder.join("notes/today.txt")]
}

fn cases(pristine: &Path) -> anyhow::Result<Vec<Harm>> {
    let mut harms = Vec::new();
    for path in files(pristine)? {
        harms.extend(Damage::ALL.map(|damage| Harm::Damaged(path.clone(), damage)));
    }
    for path in folders(pristine)? {
        if path.components().next().is_some() {
            harms.push(Harm::Gone(path.clone()));
        }
        harms.push(Harm::Foreign(path));
    }
    Ok(harms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a long run says what it did")]
async fn every_damage_of_every_file_is_refused_survived_and_undone() -> anyhow::Result<()> {
    if mercer_tests::long_form_follows() {
        return Ok(());
    }
    let begin = Instant::now();
    let bench = Arc::new(Bench::new()?);
    let shop = Arc::new(Shop::make(&bench.single(PRISTINE)).await?);
    let mut harms = cases(&bench.path(PRISTINE))?;
    let all = harms.len();
    let seed = seed();
    match std::env::var("MERCER_TEST_ONLY") {
        // As a failing run names it.
        Ok(only) => harms.retain(|harm| format!("{harm:?}").contains(&only)),
        Err(_) if is_slow() => {}
        Err(_) => {
            Random::new(seed).shuffle(&mut harms);
            harms.truncate(all.div_ceil(SAMPLE));
        }
    }
    let tried = harms.len();
    eprintln!("damage: {tried} of {all} cases, MERCER_TEST_SEED={seed}");
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (number, harm) in harms.into_iter().enumerate() {
        let (bench, shop, at_once) = (Arc::clone(&bench), Arc::clone(&shop), Arc::clone(&at_once));
        running.spawn(async move {
            let _permit = at_once.acquire_owned().await.expect("never closed");
            let case = Case { name: format!("case-{number}"), harm };
            let outcome = case.run(&bench, &shop).await;
            (case.harm, outcome)
        });
    }
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    while let Some(ended) = running.join_next().await {
        match ended? {
            (_, Ok(outcome)) => *outcomes.entry(outcome).or_default() += 1,
            (harm, Err(error)) => {
                eprintln!("damage: {harm:?}: {error:#}");
                failures.push(format!("{harm:?}"));
            }
        }
    }
    eprintln!("damage: {outcomes:?} in {:.0?}", begin.elapsed());
    ensure!(failures.is_empty(), "{} of {tried} cases failed: {failures:#?}", failures.len());
    Ok(())
}
