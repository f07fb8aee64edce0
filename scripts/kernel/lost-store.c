// Is a store lost that comes after stat(2) has shown that its place is in the file? docs/findings.md 22.
//
//   cc -O2 -pthread scripts/kernel/lost-store.c -o lost-store && ./lost-store FILE [ROUNDS]
//
// Each round cuts FILE to 50 bytes. Then one thread writes 10 bytes at 100, while another asks for the size until it is
// 110, and stores a byte at 80. When both are through, that byte is there or it is not.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path;
static volatile char *map;
static int rounds;
static atomic_int begun, stored;

static void *store(void *unused)
{
	(void)unused;
	int fd = open(path, O_RDONLY);

	for (int round = 1; round <= rounds; round++) {
		struct stat st;

		while (atomic_load(&begun) < round)
			;
		do {
			if (fstat(fd, &st) != 0)
				exit(2);
		} while (st.st_size < 110);
		map[80] = 'B';
		atomic_store(&stored, round);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	char bytes[50];
	int lost = 0;
	pthread_t thread;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE [ROUNDS]\n", argv[0]);
		return 2;
	}
	path = argv[1];
	rounds = argc > 2 ? atoi(argv[2]) : 100000;
	memset(bytes, 'A', sizeof(bytes));
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || pwrite(fd, bytes, 50, 0) != 50) {
		perror(path);
		return 2;
	}
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || pthread_create(&thread, NULL, store, NULL) != 0) {
		perror("mmap, pthread_create");
		return 2;
	}
	for (int round = 1; round <= rounds; round++) {
		if (ftruncate(fd, 50) != 0)
			return 2;
		map[0] = 'A';
		atomic_store(&begun, round);
		if (pwrite(fd, "CCCCCCCCCC", 10, 100) != 10)
			return 2;
		while (atomic_load(&stored) < round)
			;
		lost += map[80] != 'B';
	}
	printf("%d of %d stores lost\n", lost, rounds);
	return lost > 0;
}
