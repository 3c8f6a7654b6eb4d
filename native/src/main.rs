//! `dl`: the metadata plane of Delta Lake in SQL, on the command line.

/// An import hands what one thread allocates to another to free, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    deltalakedb_native::main()
}
