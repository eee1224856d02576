//! Which files and variables are taken, what is said of others, and what changes while a process runs.

use super::*;

const FIRST: &str = "first-secret-of-16";
const SECOND: &str = "second-secret-of-16";

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn of_file(path: &Path) -> Result<ClusterSecret, SecretError> {
    ClusterSecret::find(None, path).map(|found| found.expect("a path"))
}

/// What is said of a file, which must not be what is in it.
fn refused(path: &Path) -> String {
    let error = of_file(path).expect_err("refused");
    let told = error.to_string();
    assert!(told.starts_with("cluster.secret_file: "), "{told}");
    assert!(told.contains(&*path.to_string_lossy()), "{told}");
    assert!(!format!("{told}{error:?}").contains("hush"), "{told}");
    told
}

#[test]
fn the_first_is_sent_and_all_are_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    write(&path, format!("\n{FIRST}\r\n\n  {SECOND}  \n"), 0o600);
    let secret = of_file(&path).expect("taken");
    assert_eq!(secret.sent(), FIRST);
    assert!(secret.accepts(FIRST.as_bytes()) && secret.accepts(SECOND.as_bytes()));
    for wrong in ["", "first-secret-of-1", "first-secret-of-166", "first-secret-of-17"] {
        assert!(!secret.accepts(wrong.as_bytes()), "{wrong}");
    }
    assert!(!format!("{secret:?}").contains("secret-of"), "{secret:?}");
}

#[test]
fn what_cannot_be_used_is_named_and_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    assert!(refused(&path).contains("does not exist"));
    assert!(refused(folder.path()).contains("is not a file"));
    for mode in [0o640, 0o604, 0o660, 0o620] {
        write(&path, "hush-hush-hush-hush", mode);
        let told = refused(&path);
        let remedy = format!("run `chmod 600 {}`", path.display());
        assert!(told.contains(&remedy) && told.contains(&format!("mode {mode:04o}")), "{told}");
    }
    for content in ["", "\n \n"] {
        write(&path, content, 0o600);
        assert!(refused(&path).contains("is empty"), "{content:?}");
    }
    let long = "hush".repeat(65);
    for content in ["hush", "hush-hush-hush-h\u{fc}sh", "hush hush hush hush hush", &long] {
        write(&path, format!("{FIRST}\n{content}\n"), 0o400);
        assert!(refused(&path).contains("no secret in line 2"), "{content}");
    }
    write(&path, [b"hush-hush-hush-hush\n".as_slice(), &[0xff]].concat(), 0o600);
    assert!(refused(&path).contains("is not text"));
    write(&path, "hush-hush-hush-hush\n".repeat(17), 0o600);
    assert!(refused(&path).contains("17 secrets"));
    write(&path, "hush-hush-hush-hush\n".repeat(10_000), 0o600);
    assert!(refused(&path).contains("is larger"));
}

#[test]
fn the_variable_wins_and_nothing_is_missing() {
    let nowhere = Path::new("");
    assert!(ClusterSecret::find(None, nowhere).expect("nothing wrong").is_none());
    let variable = Some(OsString::from(FIRST));
    let found = ClusterSecret::find(variable, Path::new("/missing")).expect("taken");
    assert_eq!(found.expect("found").sent(), FIRST);
    let error = ClusterSecret::find(Some("hush".into()), nowhere).expect_err("short").to_string();
    assert!(error.starts_with(VARIABLE) && !error.contains("hush"), "{error}");
    let missing = SecretError::Missing.to_string();
    assert!(missing.contains("cluster.secret_file") && missing.contains(VARIABLE), "{missing}");
}

#[test]
fn a_coordinator_makes_its_own_and_finds_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join(FILE);
    let mut config = ClusterConfig::default();
    let made = ClusterSecret::established(&config, folder.path()).expect("made");
    assert!(!own.exists(), "a start that is refused changes nothing");
    made.keep().expect("kept");
    let mode = fs::metadata(&own).expect("a file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(made.sent().len(), 64);
    let again = ClusterSecret::established(&config, folder.path()).expect("found");
    assert_eq!(again.sent(), made.sent());
    // A worker is given the same file.
    config.secret_file = own;
    assert_eq!(
        ClusterSecret::established(&config, folder.path()).expect("own").sent(),
        made.sent()
    );
    assert_eq!(ClusterSecret::configured(&config).expect("found").sent(), made.sent());
    assert_ne!(ClusterSecret::drawn().sent(), made.sent());
    // What is named and missing is nothing to make.
    config.secret_file = folder.path().join("elsewhere");
    ClusterSecret::established(&config, folder.path()).expect_err("missing");
}

#[test]
fn a_change_counts_and_nonsense_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    write(&path, FIRST, 0o600);
    let secret = of_file(&path).expect("taken");
    assert_eq!(secret.reload(), Ok(false));
    write(&path, format!("{SECOND}\n{FIRST}"), 0o600);
    assert_eq!(secret.reload(), Ok(true));
    assert_eq!(secret.sent(), SECOND);
    assert!(secret.accepts(FIRST.as_bytes()));
    write(&path, SECOND, 0o600);
    assert_eq!(secret.reload(), Ok(true));
    assert!(!secret.accepts(FIRST.as_bytes()), "it was taken out");
    write(&path, "nonsense", 0o600);
    secret.reload().expect_err("short");
    write(&path, FIRST, 0o644);
    secret.reload().expect_err("open to all");
    fs::remove_file(&path).expect("removed");
    secret.reload().expect_err("missing");
    assert_eq!(secret.sent(), SECOND);
    assert!(secret.accepts(SECOND.as_bytes()) && !secret.accepts(FIRST.as_bytes()));
}
