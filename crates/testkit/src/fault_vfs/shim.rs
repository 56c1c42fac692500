//! The part in C's terms: the functions that SQLite calls. Each asks [`State::judge`] first, then calls the system's own.
//!
//! What has to be right: version 2 of the methods without `xFetch` (no memory mapping); room in each file object for the
//! original's own; the original's VFS passed on to it, not ours; no methods in a file object whose opening failed, else
//! SQLite closes it; unlocking never fails.

use super::{Op, State, Verdict, lock};
use rusqlite::ffi::*;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What our VFS carries along.
struct Context {
    original: *mut sqlite3_vfs,
    state: Arc<Mutex<State>>,
}

/// An open file: ours in front, the original's behind, at [`HEAD_BYTES`].
#[repr(C)]
struct File {
    base: sqlite3_file,
    context: *const Context,
    path: *mut PathBuf,
    original: *mut sqlite3_file,
}

/// The size of [`File`], rounded up so that the original's object is aligned behind it.
const HEAD_BYTES: usize = size_of::<File>().next_multiple_of(16);

/// Whose methods are called behind ours.
pub(super) enum Original {
    /// The system's usual ones.
    System,
    /// Those for a file that one process has for itself, whose locks are in its memory.
    OneProcess,
}

impl Original {
    fn name(&self) -> Option<&'static CStr> {
        match self {
            Original::System => None,
            Original::OneProcess => Some(c"unix-excl"),
        }
    }
}

/// The original writes no more in one piece than SQLite ever asks for, which is a page.
const MOST_AT_ONCE: usize = 64 << 10;

/// A VFS that SQLite knows; unregistered when dropped. Its memory is leaked on purpose, since a connection that is still
/// open may use it: some hundred bytes, once whoever made it has dropped what the disk holds.
pub(super) struct Registered {
    vfs: *mut sqlite3_vfs,
    name: String,
}

// SAFETY: the pointer is only used to unregister, which SQLite guards by a mutex of its own.
unsafe impl Send for Registered {}
// SAFETY: as above; shared access reads the name alone.
unsafe impl Sync for Registered {}

impl Registered {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: it was registered, and its memory is never freed.
        unsafe {
            sqlite3_vfs_unregister(self.vfs);
        }
    }
}

/// Registers a VFS around one of the system's own.
pub(super) fn register(state: Arc<Mutex<State>>, original: Original) -> Registered {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("fault-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let c_name = CString::new(name.clone()).expect("the name has no zero byte").into_raw();
    // SAFETY: SQLite is initialised before its default VFS is asked for; the copy of that struct and everything it
    // points to lives for ever.
    let vfs = unsafe {
        // Counting what is allocated takes a lock that all threads share. Too late, it is refused, which costs time alone.
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        assert_eq!(sqlite3_initialize(), SQLITE_OK);
        let original = sqlite3_vfs_find(original.name().map_or(std::ptr::null(), CStr::as_ptr));
        assert!(!original.is_null(), "SQLite has its VFS for unix");
        let context = Box::into_raw(Box::new(Context { original, state }));
        let mut ours = *original;
        ours.iVersion = 2;
        ours.szOsFile = HEAD_BYTES as c_int + (*original).szOsFile;
        ours.pNext = std::ptr::null_mut();
        ours.zName = c_name;
        ours.pAppData = context.cast();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        ours.xAccess = Some(access);
        ours.xFullPathname = Some(full_path);
        let vfs = Box::into_raw(Box::new(ours));
        assert_eq!(sqlite3_vfs_register(vfs, 0), SQLITE_OK);
        vfs
    };
    Registered { vfs, name }
}

/// Asks whether a call goes on; answers for it if it does not.
macro_rules! gate {
    ($file:expr, $op:expr, $own:expr) => {
        match lock(&(*$file.context).state).judge($op, $own, &*$file.path) {
            Verdict::Go => {}
            Verdict::Refuse(code) | Verdict::Half(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        }
    };
}

/// Calls a method of the original's file.
macro_rules! original {
    ($file:expr, $method:ident $(, $argument:expr)*) => {
        ((*(*$file.original).pMethods).$method.expect("the unix VFS has every method"))($file.original $(, $argument)*)
    };
}

/// Our part of the file that SQLite hands in.
unsafe fn ours<'a>(file: *mut sqlite3_file) -> &'a mut File {
    // SAFETY: SQLite hands in what `open` made, and uses a file on one thread at a time.
    unsafe { &mut *file.cast::<File>() }
}

unsafe fn path_of<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: SQLite hands in a string that ends with a zero.
    unsafe { Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes())) }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `vfs` is ours, so its data is a `Context`; `file` has `szOsFile` bytes.
    unsafe {
        let context = &*(*vfs).pAppData.cast::<Context>();
        (*file).pMethods = std::ptr::null();
        let path = if name.is_null() { PathBuf::new() } else { path_of(name).to_owned() };
        let mut state = lock(&context.state);
        match state.judge(Op::Open, SQLITE_CANTOPEN, &path) {
            Verdict::Go => {}
            Verdict::Refuse(code) | Verdict::Half(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        }
        let before = if state.disk.knows(&path) { None } else { std::fs::read(&path).ok() };
        let original = file.cast::<u8>().add(HEAD_BYTES).cast::<sqlite3_file>();
        let open = (*context.original).xOpen.expect("the unix VFS opens files");
        let code = open(context.original, name, original, flags, out_flags);
        if code != SQLITE_OK {
            if let Some(methods) = (*original).pMethods.as_ref() {
                (methods.xClose.expect("the unix VFS closes files"))(original);
            }
            return code;
        }
        if !name.is_null() {
            let log = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0;
            state.disk.opened(&path, before, log && flags & SQLITE_OPEN_CREATE != 0);
        }
        let path = Box::into_raw(Box::new(path));
        let base = sqlite3_file { pMethods: &raw const METHODS };
        std::ptr::write(file.cast::<File>(), File { base, context, path, original });
        SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let context = &*(*vfs).pAppData.cast::<Context>();
        let mut state = lock(&context.state);
        match state.judge(Op::Delete, SQLITE_IOERR_DELETE, path_of(name)) {
            Verdict::Go => {}
            Verdict::Refuse(code) | Verdict::Half(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        }
        let delete = (*context.original).xDelete.expect("the unix VFS deletes files");
        let code = delete(context.original, name, 0);
        if code == SQLITE_OK {
            state.disk.deleted(path_of(name), sync_directory != 0);
        }
        code
    }
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let context = &*(*vfs).pAppData.cast::<Context>();
        match lock(&context.state).judge(Op::Access, SQLITE_IOERR_ACCESS, path_of(name)) {
            Verdict::Go => {}
            Verdict::Refuse(code) | Verdict::Half(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        }
        ((*context.original).xAccess.expect("the unix VFS looks for files"))(context.original, name, flags, out)
    }
}

unsafe extern "C" fn full_path(vfs: *mut sqlite3_vfs, name: *const c_char, size: c_int, out: *mut c_char) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let original = (*(*vfs).pAppData.cast::<Context>()).original;
        ((*original).xFullPathname.expect("the unix VFS knows paths"))(original, name, size, out)
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the path was boxed by `open`, and a file is closed once.
    unsafe {
        let file = ours(file);
        catch_up(file, &mut lock(&(*file.context).state));
        let code = original!(file, xClose);
        drop(Box::from_raw(file.path));
        code
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, bytes: c_int, offset: i64) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe {
        let file = ours(file);
        let mut state = lock(&(*file.context).state);
        match state.judge(Op::Read, SQLITE_IOERR_READ, &*file.path) {
            Verdict::Go => {}
            Verdict::Refuse(code) | Verdict::Half(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        }
        let Some(held) = state.disk.now(&*file.path) else { return original!(file, xRead, to, bytes, offset) };
        let to = std::slice::from_raw_parts_mut(to.cast::<u8>(), bytes as usize);
        let from = held.get(offset as usize..).unwrap_or_default();
        let (there, missing) = to.split_at_mut(from.len().min(bytes as usize));
        there.copy_from_slice(&from[..there.len()]);
        missing.fill(0);
        if missing.is_empty() { SQLITE_OK } else { SQLITE_IOERR_SHORT_READ }
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, bytes: c_int, offset: i64) -> c_int {
    // SAFETY: `from` has `bytes` bytes; fewer may be written.
    unsafe {
        let file = ours(file);
        let mut state = lock(&(*file.context).state);
        let (bytes, code) = match state.judge(Op::Write, SQLITE_IOERR_WRITE, &*file.path) {
            Verdict::Go => (bytes, SQLITE_OK),
            Verdict::Half(code) => (bytes / 2, code),
            Verdict::Refuse(code) | Verdict::Lose(code) | Verdict::Late(code) => return code,
        };
        if state.disk.now(&*file.path).is_none() {
            let really = original!(file, xWrite, from, bytes, offset);
            if really != SQLITE_OK {
                return really;
            }
        }
        let written = std::slice::from_raw_parts(from.cast::<u8>(), bytes as usize);
        state.disk.wrote(&*file.path, offset as usize, written);
        code
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe {
        let file = ours(file);
        gate!(file, Op::Truncate, SQLITE_IOERR_TRUNCATE);
        let mut state = lock(&(*file.context).state);
        catch_up(file, &mut state);
        let code = original!(file, xTruncate, size);
        if code == SQLITE_OK {
            state.disk.cut(&*file.path, size as usize);
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: only our own data is touched; the real sync is left out.
    unsafe {
        let file = ours(file);
        let mut state = lock(&(*file.context).state);
        let code = match state.judge(Op::Sync, SQLITE_IOERR_FSYNC, &*file.path) {
            Verdict::Go => SQLITE_OK,
            Verdict::Late(code) => code,
            Verdict::Lose(code) => {
                state.disk.lose_unsynced(&*file.path);
                return code;
            }
            Verdict::Refuse(code) | Verdict::Half(code) => return code,
        };
        state.disk.synced(&*file.path);
        catch_up(file, &mut state);
        code
    }
}

/// Brings the real file to what is in memory. Only those look at it who want to know how long it is, so that a write which
/// fails is found by the next who does.
unsafe fn catch_up(file: &File, state: &mut State) {
    // SAFETY: the bytes are there for as long as the state is locked.
    unsafe {
        if let Some((offset, bytes)) = state.disk.catch_up(&*file.path) {
            for (at, piece) in bytes.chunks(MOST_AT_ONCE).enumerate() {
                let offset = offset + at * MOST_AT_ONCE;
                original!(file, xWrite, piece.as_ptr().cast(), piece.len() as c_int, offset as i64);
            }
        }
    }
}

unsafe extern "C" fn size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe {
        let file = ours(file);
        gate!(file, Op::Size, SQLITE_IOERR_FSTAT);
        let state = lock(&(*file.context).state);
        let Some(held) = state.disk.now(&*file.path) else { return original!(file, xFileSize, out) };
        *out = held.len() as i64;
        SQLITE_OK
    }
}

unsafe extern "C" fn take_lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe {
        let file = ours(file);
        gate!(file, Op::Lock, SQLITE_IOERR_LOCK);
        original!(file, xLock, level)
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xUnlock, level) }
}

unsafe extern "C" fn reserved(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xCheckReservedLock, out) }
}

unsafe extern "C" fn control(file: *mut sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // With these the original would map the file or change its size unseen.
    if matches!(op, SQLITE_FCNTL_MMAP_SIZE | SQLITE_FCNTL_CHUNK_SIZE | SQLITE_FCNTL_SIZE_HINT) {
        return SQLITE_NOTFOUND;
    }
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xFileControl, op, argument) }
}

unsafe extern "C" fn sector(file: *mut sqlite3_file) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xSectorSize) }
}

unsafe extern "C" fn device(file: *mut sqlite3_file) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xDeviceCharacteristics) }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: arguments are passed on as they came; a refused call gives no memory.
    unsafe {
        *out = std::ptr::null_mut();
        let file = ours(file);
        gate!(file, Op::Shm, SQLITE_IOERR_SHMMAP);
        original!(file, xShmMap, page, size, extend, out)
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe {
        let file = ours(file);
        if flags & SQLITE_SHM_UNLOCK == 0 {
            gate!(file, Op::ShmLock, SQLITE_IOERR_SHMLOCK);
        }
        original!(file, xShmLock, offset, count, flags)
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xShmBarrier) }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: arguments are passed on as they came.
    unsafe { original!(ours(file), xShmUnmap, delete) }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(take_lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(device),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
