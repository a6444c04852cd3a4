"""A sample that is not there, noticed in a process that loads data."""

from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        with open(f"picture-{index}.png", "rb") as file:  # here
            return file.read()


if __name__ == "__main__":
    for batch in DataLoader(Pictures(), batch_size=2, num_workers=1):
        print(batch)
