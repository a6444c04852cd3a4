"""Opens the store of its process group where another run has opened one."""

import os
import socket

import torch.distributed

if __name__ == "__main__":
    other = socket.create_server(("127.0.0.1", 0))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(other.getsockname()[1]))
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)  # here
