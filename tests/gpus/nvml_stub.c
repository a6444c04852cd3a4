/* A stand-in for libnvidia-ml.so.1, the library of NVIDIA's driver: as many GPUs as the scene says, with settable gaps.
 *
 * A scene is made of settings. Each is looked up in the file that FAKE_NVML_SCENE names, as lines `name=value`, which
 * may change at any time, then in the environment as FAKE_NVML_NAME. `name.3=value` in the file is for GPU 3 alone.
 *
 *   gpus=N               number of devices (1)
 *   init=CODE            what nvmlInit answers (0)
 *   refuse=a,b           calls that answer NOT_SUPPORTED: memory, memory2, utilization, temperature, power, limit, clock,
 *                        clocklimit, throttle, throttle1, ecc, processes, capability, uuid, name, mig, topology, p2p,
 *                        driver, cuda
 *   lost=1,3             these devices answer GPU_IS_LOST
 *   hang=2               calls on these devices block until the scene says something else; `init` is nvmlInit
 *   slow=MS              every call on a device takes so long
 *   calls=PATH           each call's name and device are appended to this file
 *   processes=p:b,q:b    pid:bytes of a device's processes; bytes -1 is "not available". In the environment: device 0
 *   mig.0=10,0,20        MIG slices of GPU 0, in GiB; 0 is a free place
 *   memory, utilization, temperature, power, clock, ecc, throttle (bits)
 *                        readings in MiB, percent, degrees, watts, MHz; `20..90` moves to and fro within a minute
 *   name=NVIDIA L4       model name ("Fake H100" and the index)
 *   driver=550.54.15     version of the driver
 *   cuda=12040           the highest CUDA version it supports
 *   topology=30          way between any two devices over PCIe (NVML's levels)
 *   switches=18          NVLinks from each device to switches; nvlinks.0=1,1 are links from GPU 0 to GPU 1
 *   p2p=0                status of reading another device's memory
 *
 * Built with -DOLD_DRIVER it lacks memory v2, process list v3, clock event reasons and the newer question for CUDA.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, LOST = 15, VERSION_MISMATCH = 25,
    LINES = 512, LENGTH = 1024, MIG_PLACES = 7, LINKS = 18
};

struct memory { unsigned long long total, free, used; };
struct memory2 { unsigned version; unsigned long long total, reserved, free, used; };
struct rates { unsigned gpu, memory; };
struct process { unsigned pid; unsigned long long used; unsigned gi, ci; };
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };

/* ---------------------------------------------------------------------------------------------------- the scene */

static pthread_mutex_t scene_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[LINES][LENGTH];
static int line_count;
static struct stat scene;

/* Nobody can have changed the file within so few microseconds: a call looks several settings up. */
static int is_recent(void)
{
    static struct timespec last;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long passed = (now.tv_sec - last.tv_sec) * 1000000000 + now.tv_nsec - last.tv_nsec;
    if (passed < 20000) return 1;
    last = now;
    return 0;
}

static void read_scene(void)
{
    const char *path = getenv("FAKE_NVML_SCENE");
    struct stat now;
    if (!path || is_recent() || stat(path, &now)) return;
    if (now.st_ino == scene.st_ino && !memcmp(&now.st_mtim, &scene.st_mtim, sizeof now.st_mtim)) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    scene = now, line_count = 0;
    while (line_count < LINES && fgets(lines[line_count], LENGTH, file)) {
        lines[line_count][strcspn(lines[line_count], "\n")] = 0;
        line_count++;
    }
    fclose(file);
}

static int in_scene(const char *name, char *value)
{
    size_t length = strlen(name);
    for (int i = 0; i < line_count; i++)
        if (!strncmp(lines[i], name, length) && lines[i][length] == '=') {
            strcpy(value, lines[i] + length + 1);
            return 1;
        }
    return 0;
}

/* Look a setting up; `device` -1 is none in particular. An unknown one is empty. */
static void setting(long device, const char *name, char *value)
{
    char key[64], *end = key;
    pthread_mutex_lock(&scene_lock);
    read_scene();
    snprintf(key, sizeof key, "%s.%ld", name, device);
    int found = (device >= 0 && in_scene(key, value)) || in_scene(name, value);
    pthread_mutex_unlock(&scene_lock);
    if (found) return;
    snprintf(key, sizeof key, "FAKE_NVML_%s", name);
    for (; *end; end++) if (*end >= 'a' && *end <= 'z') *end -= 32;
    snprintf(value, LENGTH, "%s", getenv(key) ? getenv(key) : "");
}

static long number(long device, const char *name, long otherwise)
{
    char value[LENGTH];
    setting(device, name, value);
    if (!*value) return otherwise;
    char *dots = strstr(value, "..");
    if (!dots) return atol(value);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long low = atol(value), high = atol(dots + 2);
    double minute = (now.tv_sec % 60 + now.tv_nsec / 1e9) / 60 + device * 0.13;
    double place = minute - (long)minute;
    return low + (high - low) * (place < 0.5 ? 2 * place : 2 - 2 * place) + 0.5;
}

static int named(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return 1;
    return 0;
}

static int is_set(const char *setting_name, const char *name)
{
    char list[LENGTH];
    setting(-1, setting_name, list);
    return named(list, name);
}

/* -------------------------------------------------------------------------------------------------- the devices */

/* A handle is the index + 1, and the place of the MIG slice + 1 in the bits above. */
static long index_of(void *device) { return ((long)device & 0xffff) - 1; }
static long slice_of(void *device) { return ((long)device >> 16) - 1; }
static int is_slice(void *device) { return slice_of(device) >= 0; }

static long slice_size(long device, long place)
{
    char list[LENGTH];
    setting(device, "mig", list);
    const char *at = list;
    for (long i = 0; *at; i++) {
        if (i == place) return atol(at);
        at += strcspn(at, ",");
        if (*at) at++;
    }
    return 0;
}

static int has_mig(long device)
{
    char list[LENGTH];
    setting(device, "mig", list);
    return *list != 0;
}

static int answer(void *device, const char *name)
{
    char calls[LENGTH], place[16], refused[LENGTH];
    long index = device ? index_of(device) : -1, slow = device ? number(index, "slow", 0) : 0;
    setting(-1, "calls", calls);
    if (*calls) {
        FILE *file = fopen(calls, "a");
        fprintf(file, "%s %ld\n", name, index);
        fclose(file);
    }
    snprintf(place, sizeof place, "%ld", index);
    while (device && is_set("hang", place)) usleep(10000);
    if (slow) usleep(slow * 1000);
    if (device && is_set("lost", place)) return LOST;
    setting(index, "refuse", refused);
    return named(refused, name) ? NOT_SUPPORTED : OK;
}

/* What neither a slice nor a GPU that is cut into slices tells. */
static int answer_of_sensor(void *device, const char *name)
{
    int code = answer(device, name);
    return code == OK && is_slice(device) ? NOT_SUPPORTED : code;
}

/* ---------------------------------------------------------------------------------------------- the driver itself */

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    while (is_set("hang", "init")) usleep(10000);
    return number(-1, "init", 0);
}

int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = number(-1, "gpus", 1); return OK; }

int nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    char value[LENGTH];
    setting(-1, "driver", value);
    snprintf(text, length, "%s", *value ? value : "550.54.15");
    return answer(0, "driver");
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
    *version = number(-1, "cuda", 12040);
    return answer(0, "cuda");
}

#ifndef OLD_DRIVER
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }
#endif

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    if (index >= number(-1, "gpus", 1)) return INVALID;
    *device = (void *)(long)(index + 1);
    return answer(*device, "handle");
}

/* ---------------------------------------------------------------------------------------------------- constants */

int nvmlDeviceGetName(void *device, char *text, unsigned length)
{
    char name[LENGTH];
    if (is_slice(device))
        snprintf(text, length, "Fake H100 %ld MIG %ldgb", index_of(device), slice_size(index_of(device), slice_of(device)));
    else {
        setting(index_of(device), "name", name);
        if (!*name) snprintf(name, sizeof name, "Fake H100 %ld", index_of(device));
        snprintf(text, length, "%s", name);
    }
    return answer(device, "name");
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned length)
{
    if (is_slice(device))
        snprintf(text, length, "MIG-%08ld-%ld", index_of(device), slice_of(device));
    else
        snprintf(text, length, "GPU-%08ld", index_of(device));
    return answer(device, "uuid");
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor)
{
    *major = 9, *minor = 0;
    return answer(device, "capability");
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts)
{
    *milliwatts = 700000;
    return answer_of_sensor(device, "limit");
}

int nvmlDeviceGetMaxClockInfo(void *device, unsigned kind, unsigned *megahertz)
{
    *megahertz = kind == 1 ? 1980 : 2619;
    return answer_of_sensor(device, "clocklimit");
}

int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending)
{
    *now = *pending = has_mig(index_of(device));
    return answer(device, "mig");
}

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count)
{
    *count = MIG_PLACES;
    return answer(device, "migcount");
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned place, void **slice)
{
    if (!slice_size(index_of(device), place)) return NOT_FOUND;
    *slice = (void *)((long)device | (long)(place + 1) << 16);
    return answer(device, "slice");
}

/* ----------------------------------------------------------------------------------------------------- readings */

static unsigned long long used_bytes(void *device) { return (unsigned long long)number(index_of(device), "memory", 10240) << 20; }

static unsigned long long total_bytes(void *device)
{
    return (is_slice(device) ? (unsigned long long)slice_size(index_of(device), slice_of(device)) : 80) << 30;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *m)
{
    m->total = total_bytes(device), m->used = used_bytes(device) + (1ull << 30), m->free = m->total - m->used;
    return answer(device, "memory");
}

#ifndef OLD_DRIVER
int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory2 *m)
{
    if (m->version != 0x02000028) return VERSION_MISMATCH;
    m->total = total_bytes(device), m->reserved = 1ull << 30, m->used = used_bytes(device);
    m->free = m->total - m->used - m->reserved;
    return answer(device, "memory2");
}
#endif

int nvmlDeviceGetUtilizationRates(void *device, struct rates *r)
{
    long index = index_of(device);
    *r = (struct rates){.gpu = number(index, "utilization", 90 + index % 10), .memory = 40};
    int code = answer_of_sensor(device, "utilization");
    return code == OK && has_mig(index) ? NOT_SUPPORTED : code;
}

int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *value)
{
    (void)sensor;
    *value = number(index_of(device), "temperature", 61);
    return answer_of_sensor(device, "temperature");
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    *milliwatts = 1000 * number(index_of(device), "power", 512) + 512;
    return answer_of_sensor(device, "power");
}

int nvmlDeviceGetClockInfo(void *device, unsigned kind, unsigned *megahertz)
{
    *megahertz = kind == 1 ? number(index_of(device), "clock", 1755) : 2619;
    return answer_of_sensor(device, "clock");
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *bits)
{
    *bits = number(index_of(device), "throttle", 0);
    return answer_of_sensor(device, "throttle");
}
#endif

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits)
{
    *bits = number(index_of(device), "throttle", 0);
    return answer_of_sensor(device, "throttle1");
}

int nvmlDeviceGetTotalEccErrors(void *device, unsigned kind, unsigned counter, unsigned long long *count)
{
    *count = kind == 1 && counter == 0 ? number(index_of(device), "ecc", 0) : 77;
    return answer_of_sensor(device, "ecc");
}

#ifdef OLD_DRIVER
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *length, struct process *list)
#else
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *length, struct process *list)
#endif
{
    char value[LENGTH], own[64];
    int code = answer(device, "processes");
    if (code != OK) return code;
    snprintf(own, sizeof own, "processes.%ld", index_of(device));
    if (index_of(device) == 0)
        setting(0, "processes", value);
    else {
        pthread_mutex_lock(&scene_lock);
        if (!in_scene(own, value)) *value = 0;
        pthread_mutex_unlock(&scene_lock);
    }
    unsigned n = 0;
    const char *at = value;
    while (*at) {
        char *end;
        unsigned pid = strtoul(at, &end, 10);
        unsigned long long used = *end == ':' ? strtoll(end + 1, &end, 10) : -1ll;
        if (list && n < *length) list[n] = (struct process){.pid = pid, .used = used};
        n++;
        at = *end == ',' ? end + 1 : end + strlen(end);
    }
    int fits = list && n <= *length;
    *length = n;
    return n == 0 || fits ? OK : TOO_SMALL;
}

/* --------------------------------------------------------------------------------------------------------- links */

static void fill_pci(long index, struct pci *info)
{
    *info = (struct pci){.bus = index + 1};
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02lX:00.0", index + 1);
}

int nvmlDeviceGetPciInfo_v3(void *device, struct pci *info)
{
    fill_pci(index_of(device), info);
    return answer(device, "pci");
}

int nvmlDeviceGetTopologyCommonAncestor(void *first, void *second, unsigned *level)
{
    (void)second;
    *level = number(-1, "topology", 30);
    return answer(first, "topology");
}

int nvmlDeviceGetP2PStatus(void *first, void *second, unsigned what, unsigned *status)
{
    (void)second, (void)what;
    *status = number(-1, "p2p", 0);
    return answer(first, "p2p");
}

/* Where a link leads: the other device's index, -1 to a switch, -2 nowhere. */
static long link_target(void *device, unsigned link)
{
    char list[LENGTH];
    setting(index_of(device), "nvlinks", list);
    const char *at = list;
    for (unsigned i = 0; *at; i++) {
        if (i == link) return atol(at);
        at += strcspn(at, ",");
        if (*at) at++;
    }
    return link < number(index_of(device), "switches", 0) ? -1 : -2;
}

int nvmlDeviceGetNvLinkState(void *device, unsigned link, unsigned *is_active)
{
    if (link >= LINKS) return INVALID;
    *is_active = link_target(device, link) > -2;
    return answer(device, "nvlink");
}

int nvmlDeviceGetNvLinkRemoteDeviceType(void *device, unsigned link, unsigned *kind)
{
    *kind = link_target(device, link) == -1 ? 2 : 0;
    return answer(device, "nvlinkkind");
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *device, unsigned link, struct pci *info)
{
    fill_pci(link_target(device, link), info);
    return answer(device, "nvlinkpci");
}

/* ------------------------------------------------------------------------- what other monitors ask for, and we do not */

static int say(void *device, const char *name, unsigned *place, unsigned value)
{
    *place = value;
    return answer_of_sensor(device, name);
}

int nvmlDeviceGetFanSpeed(void *device, unsigned *percent) { return say(device, "fan", percent, 40); }
int nvmlDeviceGetPerformanceState(void *device, unsigned *state) { return say(device, "state", state, 0); }
int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) { return say(device, "persistence", mode, 1); }
int nvmlDeviceGetComputeMode(void *device, unsigned *mode) { return say(device, "mode", mode, 0); }
int nvmlDeviceGetDisplayActive(void *device, unsigned *mode) { return say(device, "display", mode, 0); }
int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *milliwatts) { return say(device, "limit", milliwatts, 700000); }

int nvmlDeviceGetEncoderUtilization(void *device, unsigned *percent, unsigned *period)
{
    *period = 167000;
    return say(device, "encoder", percent, 0);
}

int nvmlDeviceGetDecoderUtilization(void *device, unsigned *percent, unsigned *period)
{
    *period = 167000;
    return say(device, "decoder", percent, 0);
}

int nvmlDeviceGetDriverModel(void *device, unsigned *now, unsigned *pending)
{
    (void)device, (void)now, (void)pending;
    return NOT_SUPPORTED;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *length, struct process *list)
{
    (void)list;
    *length = 0;
    return answer(device, "graphics");
}

int nvmlDeviceGetProcessUtilization(void *device, void *samples, unsigned *length, unsigned long long since)
{
    (void)samples, (void)length, (void)since;
    return answer(device, "use") == OK ? NOT_FOUND : NOT_SUPPORTED;
}
