#!/bin/sh
# rootfs.sh PROGRAM FOLDER: lays out all that an image needs to run PROGRAM, and nothing else: no shell,
# no package manager, no tools. The image's build runs it; a test runs it too and starts the program
# inside.
set -eu

program=$1
root=$2

install -D -m 755 "$program" "$root/usr/local/bin/authshield"

# The loader and the libraries that the program names, where it looks for them.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

# Whom to trust when a relay or a collector shows a certificate.
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

mkdir -p "$root/etc" "$root/tmp" "$root/var/lib/authshield"
echo 'authshield:x:65532:65532::/var/lib/authshield:/nonexistent' >"$root/etc/passwd"
echo 'authshield:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
