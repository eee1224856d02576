//! A small file system of its own, so that it can be full.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Bytes of the disk.
const SIZE: u64 = 384 << 20;
/// How long what is waited for may take on it.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A small file system in a file, mounted; it is unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// Mounts a new file system below `folder`, or says why that is not possible here.
    ///
    /// # Errors
    /// When nothing can be made in the folder.
    pub fn mount(folder: &Path) -> anyhow::Result<Result<Self, String>> {
        let (image, mount) = (folder.join("disk.img"), folder.join("disk"));
        File::create(&image)?.set_len(SIZE)?;
        fs::create_dir(&mount)?;
        let run = |command: &mut Command| match command.output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(format!("{:?}: {error}", command.get_program())),
        };
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let mounted = made
            .and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount)));
        Ok(mounted.map(|()| Self { mount }))
    }

    /// Folder that the disk is mounted on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Leaves no byte free: `ballast`, a file on it, takes them.
    ///
    /// # Errors
    /// When it cannot be written for another reason than that.
    pub fn fill(&self, ballast: &Path) -> anyhow::Result<()> {
        let mut ballast = File::options().create(true).append(true).open(ballast)?;
        let mut piece = vec![1; 1 << 20];
        while !piece.is_empty() {
            match ballast.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2)
                }
                Err(error) => return Err(error.into()),
            }
        }
        // What lies in memory only counts as well, and may turn out to have no place.
        let _ = ballast.sync_all();
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}
