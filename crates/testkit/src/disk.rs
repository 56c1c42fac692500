//! File systems of their own, for what a disk does to those who write on it: one in memory that is soon full, and one
//! in an image whose power can be cut or which breaks down.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A mounted file system, unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
    image: Option<PathBuf>,
    options: String,
}

impl Disk {
    /// Mounts one in memory, or says why it cannot.
    pub fn in_memory(at: &Path, options: &str) -> Result<Disk, String> {
        let disk = Disk { at: at.to_owned(), image: None, options: options.to_owned() };
        disk.make()?;
        Ok(disk)
    }

    /// Mounts an ext4 of so many MiB in a new file beside the place, or says why it cannot.
    pub fn in_image(at: &Path, mebibytes: u64, options: &str) -> Result<Disk, String> {
        let image = at.with_extension("img");
        let disk = Disk { at: at.to_owned(), image: Some(image.clone()), options: format!("loop,{options}") };
        may_mount()?;
        let failed = |error: io::Error| format!("{}: {error}", image.display());
        File::create_new(&image).and_then(|file| file.set_len(mebibytes << 20)).map_err(failed)?;
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        disk.make()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Mounts it with other options, without taking it away from who uses it.
    pub fn remount(&self, options: &str) -> Result<(), String> {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.at)).map(drop)
    }

    /// Takes what is left of the room, to the last byte; the file to remove for it to be there again.
    pub fn fill(&self) -> PathBuf {
        let filler = self.at.join("filler");
        let mut file = File::create(&filler).expect("an empty file takes no room");
        for size in [4096, 1] {
            while io::Write::write_all(&mut file, &vec![b'x'; size]).is_ok() {}
        }
        filler
    }

    /// Takes all names that are left; the directory to remove for them to be there again.
    pub fn fill_names(&self) -> PathBuf {
        let filler = self.at.join("names");
        std::fs::create_dir(&filler).expect("one name is left");
        let mut names = 0..;
        // Where much is going on, names of files that are gone already come free a moment later.
        for _ in 0..3 {
            names.find(|name| File::create_new(filler.join(name.to_string())).is_err());
            std::thread::sleep(Duration::from_millis(20));
        }
        filler
    }

    /// Cuts the power: what was not flushed is gone, and whoever writes gets errors from now on.
    pub fn cut(&self) -> io::Result<()> {
        // FS_IOC_SHUTDOWN with the flag that has nothing flushed; the same for ext4, xfs and f2fs.
        const SHUTDOWN: libc::c_ulong = 0x8004_587d;
        let without_flushing: u32 = 2;
        let directory = File::open(&self.at)?;
        // SAFETY: the request takes a pointer to these four bytes and changes nothing else of ours.
        let done = unsafe { libc::ioctl(directory.as_raw_fd(), SHUTDOWN as _, &raw const without_flushing) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Has the kernel find an error on it: mounted with `errors=remount-ro`, it takes no writes from then on.
    pub fn break_down(&self) -> Result<(), String> {
        let device = run(Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(&self.at))?;
        let device = String::from_utf8_lossy(&device.stdout).trim().trim_start_matches("/dev/").to_owned();
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        std::fs::write(&trigger, "tinkerbell").map_err(|error| format!("{trigger}: {error}"))
    }

    /// The power comes back: mounts anew what the image holds. Nobody may use it any more.
    pub fn back(&self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.at))?;
        self.mount()
    }

    fn make(&self) -> Result<(), String> {
        may_mount()?;
        std::fs::create_dir_all(&self.at).map_err(|error| error.to_string())?;
        self.mount()
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        match &self.image {
            Some(image) => mount.args(["-o", &self.options]).arg(image),
            None => mount.args(["-t", "tmpfs", "-o", &self.options, "tinkerbell-test"]),
        };
        run(mount.arg(&self.at)).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        if let Some(image) = &self.image {
            let _ = std::fs::remove_file(image);
        }
    }
}

fn may_mount() -> Result<(), String> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err("mounting a file system needs root".to_owned()),
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
