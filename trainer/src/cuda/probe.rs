//! What this machine has of CUDA, asked through libraries that are looked up at run time, so that a
//! build without CUDA can ask too.
//!
//! Contract: every symbol is called with the type that NVIDIA's headers give it (`cuda.h`,
//! `cublas_api.h`, `cudnn_graph.h`, `curand.h`, `cuda_runtime_api.h`, `nvrtc.h`, `nccl.h`), and no symbol outlives its library.

use std::ffi::{CStr, c_char, c_int, c_void};

use libloading::{Library, Symbol};

/// A GPU as the driver describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) capability: (i32, i32),
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Bytes that are free; `None` if the driver does not open the GPU.
    pub(crate) free: Option<u64>,
}

/// The state of the driver.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Driver {
    /// There is no such library.
    Missing,
    /// It does not start; the number is its error.
    Failing(i32),
    /// It runs.
    Running {
        /// The CUDA version that it supports, as in 13.0.
        version: (i32, i32),
        gpus: Vec<Gpu>,
    },
}

/// Names that a library may have, newest first, and how it tells its version.
struct Known {
    name: &'static str,
    files: &'static [&'static str],
    version: fn(&Library) -> Option<String>,
}

const LIBRARIES: [Known; 5] = [
    Known {
        name: "cuBLAS",
        files: &["libcublas.so.13", "libcublas.so.12"],
        version: cublas_version,
    },
    Known {
        name: "cuDNN",
        files: &["libcudnn.so.9"],
        version: cudnn_version,
    },
    Known {
        name: "cuRAND",
        files: &["libcurand.so.10"],
        version: curand_version,
    },
    Known {
        name: "cudart",
        files: &["libcudart.so.13", "libcudart.so.12"],
        version: runtime_version,
    },
    Known {
        name: "NVRTC",
        files: &["libnvrtc.so.13", "libnvrtc.so.12"],
        version: nvrtc_version,
    },
];

/// Connects several GPUs; one GPU needs no NCCL.
const NCCL: Known = Known {
    name: "NCCL",
    files: &["libnccl.so.2"],
    version: nccl_version,
};

impl Known {
    /// The version, where the library is found.
    fn look(&self) -> Option<String> {
        let library = self.files.iter().find_map(|file| open(file))?;
        let version = (self.version)(&library);
        Some(version.unwrap_or_else(|| "of unknown version".to_owned()))
    }
}

/// A library of the toolkit: its name, and its version where it is found.
pub(crate) fn libraries() -> Vec<(&'static str, Option<String>)> {
    let look = |known: &Known| (known.name, known.look());
    LIBRARIES.iter().map(look).collect()
}

/// NCCL's version, where it is found.
pub(crate) fn nccl() -> Option<String> {
    NCCL.look()
}

fn open(file: &str) -> Option<Library> {
    // SAFETY: these libraries do nothing that a program could see when they are loaded.
    unsafe { Library::new(file) }.ok()
}

fn cublas_version(library: &Library) -> Option<String> {
    type Get = unsafe extern "C" fn(c_int, *mut c_int) -> c_int;
    // SAFETY: `cublasGetProperty(libraryPropertyType, int *)`.
    let get: Symbol<'_, Get> = unsafe { library.get(b"cublasGetProperty\0") }.ok()?;
    let part = |number| {
        let mut value = 0;
        // SAFETY: 0, 1 and 2 are the three properties, and the pointer is to an `int`.
        (unsafe { get(number, &raw mut value) } == 0).then_some(value)
    };
    Some(format!("{}.{}.{}", part(0)?, part(1)?, part(2)?))
}

fn cudnn_version(library: &Library) -> Option<String> {
    type Get = unsafe extern "C" fn() -> usize;
    // SAFETY: `size_t cudnnGetVersion(void)`.
    let get: Symbol<'_, Get> = unsafe { library.get(b"cudnnGetVersion\0") }.ok()?;
    // SAFETY: it takes nothing.
    let version = unsafe { get() };
    Some(parts(version as c_int, 10_000))
}

/// The number that a function of the type `status f(int *)` writes.
///
/// # Safety
/// `name` is a function of this type, with a 0 at its end.
unsafe fn number(library: &Library, name: &[u8]) -> Option<c_int> {
    type Get = unsafe extern "C" fn(*mut c_int) -> c_int;
    // SAFETY: the caller's promise.
    let get: Symbol<'_, Get> = unsafe { library.get(name) }.ok()?;
    let mut value = 0;
    // SAFETY: the pointer is to an `int`.
    (unsafe { get(&raw mut value) } == 0).then_some(value)
}

/// As in 10.4.2: the parts of a version that is `unit * major + 100 * minor + patch`.
fn parts(version: c_int, unit: c_int) -> String {
    let (major, rest) = (version / unit, version % unit);
    format!("{major}.{}.{}", rest / 100, rest % 100)
}

fn curand_version(library: &Library) -> Option<String> {
    // SAFETY: `curandGetVersion(int *)`.
    let version = unsafe { number(library, b"curandGetVersion\0") }?;
    Some(parts(version, 1000))
}

fn runtime_version(library: &Library) -> Option<String> {
    // SAFETY: `cudaRuntimeGetVersion(int *)`.
    let version = unsafe { number(library, b"cudaRuntimeGetVersion\0") }?;
    Some(format!("{}.{}", version / 1000, version % 1000 / 10))
}

fn nvrtc_version(library: &Library) -> Option<String> {
    type Get = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
    // SAFETY: `nvrtcVersion(int *, int *)`.
    let get: Symbol<'_, Get> = unsafe { library.get(b"nvrtcVersion\0") }.ok()?;
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both pointers are to an `int`.
    let answer = unsafe { get(&raw mut major, &raw mut minor) };
    (answer == 0).then(|| format!("{major}.{minor}"))
}

fn nccl_version(library: &Library) -> Option<String> {
    // SAFETY: `ncclGetVersion(int *)`.
    let version = unsafe { number(library, b"ncclGetVersion\0") }?;
    // Since NCCL 2.9; older versions count otherwise and are too old for several GPUs.
    Some(parts(version, 10_000))
}

/// Numbers of `CUdevice_attribute`.
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

/// Asks the driver for its GPUs.
pub(crate) fn driver() -> Driver {
    let Some(library) = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"]
        .into_iter()
        .find_map(open)
    else {
        return Driver::Missing;
    };
    ask(&library).unwrap_or_else(Driver::Failing)
}

/// The driver's error for a symbol that it lacks: `CUDA_ERROR_NOT_FOUND`.
const NOT_FOUND: c_int = 500;

fn ask(library: &Library) -> Result<Driver, c_int> {
    let init: Symbol<'_, unsafe extern "C" fn(u32) -> c_int> = symbol(library, b"cuInit\0")?;
    // SAFETY: the flags must be 0.
    check(unsafe { init(0) })?;
    let get: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
        symbol(library, b"cuDriverGetVersion\0")?;
    let mut version = 0;
    // SAFETY: the pointer is to an `int`.
    check(unsafe { get(&raw mut version) })?;
    let get: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
        symbol(library, b"cuDeviceGetCount\0")?;
    let mut count = 0;
    // SAFETY: the pointer is to an `int`.
    check(unsafe { get(&raw mut count) })?;
    let gpus = (0..count)
        .map(|number| gpu(library, number))
        .collect::<Result<_, _>>()?;
    Ok(Driver::Running {
        version: (version / 1000, version % 1000 / 10),
        gpus,
    })
}

fn gpu(library: &Library, number: c_int) -> Result<Gpu, c_int> {
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
    let get: Symbol<'_, Get> = symbol(library, b"cuDeviceGet\0")?;
    let mut device = 0;
    // SAFETY: a `CUdevice` is an `int`.
    check(unsafe { get(&raw mut device, number) })?;
    let get: Symbol<'_, Name> = symbol(library, b"cuDeviceGetName\0")?;
    let mut name = [0; 256];
    // SAFETY: the buffer has room for 256 bytes, one less with the 0 at the end.
    check(unsafe { get(name.as_mut_ptr(), name.len() as c_int - 1, device) })?;
    // SAFETY: the buffer's last byte is 0 whatever was written.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    let get: Symbol<'_, Attribute> = symbol(library, b"cuDeviceGetAttribute\0")?;
    let attribute = |which| {
        let mut value = 0;
        // SAFETY: the pointer is to an `int`.
        check(unsafe { get(&raw mut value, which, device) }).map(|()| value)
    };
    let capability = (attribute(CAPABILITY_MAJOR)?, attribute(CAPABILITY_MINOR)?);
    let get: Symbol<'_, Memory> = symbol(library, b"cuDeviceTotalMem_v2\0")?;
    let mut memory = 0;
    // SAFETY: the pointer is to a `size_t`.
    check(unsafe { get(&raw mut memory, device) })?;
    Ok(Gpu {
        name: name.to_string_lossy().into_owned(),
        capability,
        memory: memory as u64,
        free: free(library, device).ok(),
    })
}

/// Free bytes of a GPU: the driver answers only for an open context.
fn free(library: &Library, device: c_int) -> Result<u64, c_int> {
    type Retain = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int;
    type Push = unsafe extern "C" fn(*mut c_void) -> c_int;
    type Pop = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
    type Info = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
    type Release = unsafe extern "C" fn(c_int) -> c_int;
    let retain: Symbol<'_, Retain> = symbol(library, b"cuDevicePrimaryCtxRetain\0")?;
    let push: Symbol<'_, Push> = symbol(library, b"cuCtxPushCurrent_v2\0")?;
    let pop: Symbol<'_, Pop> = symbol(library, b"cuCtxPopCurrent_v2\0")?;
    let info: Symbol<'_, Info> = symbol(library, b"cuMemGetInfo_v2\0")?;
    let release: Symbol<'_, Release> = symbol(library, b"cuDevicePrimaryCtxRelease_v2\0")?;
    let mut context = std::ptr::null_mut();
    let (mut free, mut total) = (0, 0);
    // SAFETY: a context is retained, made current, asked and given back in this order; every pointer
    // is to a variable of the type that is written.
    unsafe {
        check(retain(&raw mut context, device))?;
        let answer = check(push(context)).and_then(|()| {
            let answer = check(info(&raw mut free, &raw mut total));
            check(pop(&raw mut context))?;
            answer
        });
        check(release(device))?;
        answer?;
    }
    Ok(free as u64)
}

fn symbol<'a, T>(library: &'a Library, name: &[u8]) -> Result<Symbol<'a, T>, c_int> {
    // SAFETY: every caller gives the type that the header gives the symbol.
    unsafe { library.get(name) }.map_err(|_| NOT_FOUND)
}

fn check(answer: c_int) -> Result<(), c_int> {
    if answer == 0 { Ok(()) } else { Err(answer) }
}
