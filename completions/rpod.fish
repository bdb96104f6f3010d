# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rpod_global_optspecs
    string join \n v/version h/help D/debug l/log-level=
end

function __fish_rpod_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rpod_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rpod_using_subcommand
    set -l cmd (__fish_rpod_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rpod -n "__fish_rpod_needs_command" -s l -l log-level -d 'Say as much: debug, info, warn, error or fatal' -r
complete -c rpod -n "__fish_rpod_needs_command" -s v -l version -d 'Print the version'
complete -c rpod -n "__fish_rpod_needs_command" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_needs_command" -s D -l debug -d 'Say more about a failure'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "run" -d 'Create a container from an image and start it'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "exec" -d 'Run another program in a running container'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "ps" -d 'List containers'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "logs" -d 'Print what a container wrote'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "inspect" -d 'Show everything known of containers, images, volumes and networks'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "create" -d 'Create a container from an image and leave it to be started'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "start" -d 'Start containers, with their files as they were'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "stop" -d 'Stop containers: ask them to end, and end them when they do not'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "restart" -d 'Stop containers if they run, and start them'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "kill" -d 'Send a signal to containers'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "wait" -d 'Wait until containers end, and print their exit statuses'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "rm" -d 'Remove containers'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "attach" -d 'Attach to a running container\'s input and output'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "cp" -d 'Copy files into a container or out of one'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "rename" -d 'Rename a container'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "pause" -d 'Stop all processes of containers where they are'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "unpause" -d 'Let all processes of paused containers go on'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "diff" -d 'Show what a container has changed, or an image\'s last layer'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "commit" -d 'Make an image of what a container is now'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "export" -d 'Write a container\'s files as a tar'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "mount" -d 'Mount containers inside `rpod unshare`, or list what is mounted'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "umount" -d 'End the mounts of containers'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "port" -d 'List the published ports of a container'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "pull" -d 'Pull images from their registries'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "search" -d 'Search registries for images'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "push" -d 'Push an image to its registry'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "images" -d 'List images'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "history" -d 'Show how an image was made'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "rmi" -d 'Remove images'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "build" -d 'Build an image from a Dockerfile and a context'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "tag" -d 'Give an image another name'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "untag" -d 'Take names from an image, which stays'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "load" -d 'Load images from an archive or an OCI layout'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "save" -d 'Write images as an archive'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "login" -d 'Log in to a registry'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "logout" -d 'Log out of a registry'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "import" -d 'Make an image of a tar of files'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "unshare" -d 'Run a program, or your shell, in your own user namespace'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "info" -d 'Show what rpod found on this machine'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "version" -d 'Show the version of rpod'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "completion" -d 'Print a completion script for a shell'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "container" -d 'Work with containers'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "image" -d 'Work with images'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "builder" -d 'Build images and look at what builds keep'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "buildx" -d 'docker\'s other name for builder'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "manifest" -d 'Work with lists of images for several platforms'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "network" -d 'Work with networks'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "volume" -d 'Work with volumes'
complete -c rpod -n "__fish_rpod_needs_command" -f -a "system" -d 'Look at rpod and this machine'
complete -c rpod -n "__fish_rpod_using_subcommand run" -s a -l attach -d 'Attach to stdin, stdout or stderr (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand run" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l name -d 'Name the container' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l group-add -d 'Add a group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s v -l volume -d 'Mount as [SOURCE:]TARGET[:ro], a volume or directory (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -l mount -d 'Mount as type=bind|volume|tmpfs,source=…,target=… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l tmpfs -d 'Mount memory (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l volumes-from -d 'Have the mounts of another container (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l device -d 'Have a device of this machine (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -s p -l publish -d 'Publish [IP:][HOST-PORT:]PORT[/udp] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l expose -d 'Expose a port or a range (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l entrypoint -d 'Run this instead of the image\'s entry point' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s h -l hostname -d 'Set the host name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l domainname -d 'Set the domain name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l network -d 'Join a network, or host, none, private, container:NAME, ns:PATH' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l ip -d 'Have this IPv4 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l ip6 -d 'Have this IPv6 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l mac-address -d 'Have this link address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l network-alias -d 'Be known by this name on its networks (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l network-capture -d 'Write the container\'s packets to a file, as tcpdump does' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -l dns -d 'Ask this name server (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l dns-search -d 'Search names in this domain (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l dns-option -d 'Set an option of the resolver (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l add-host -d 'Add a line to /etc/hosts (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l link -d 'Know another container by a name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s l -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l label-file -d 'Read labels from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -l cidfile -d 'Write the container\'s id to a new file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand run" -l pull -d 'Pull the image: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l restart -d 'Start again: no, always, unless-stopped or on-failure[:TIMES]' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l stop-signal -d 'Stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l stop-timeout -d 'Give it so many seconds to stop' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l cap-add -d 'Add a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l cap-drop -d 'Drop a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l security-opt -d 'Set no-new-privileges or seccomp=unconfined (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l ulimit -d 'Limit a resource, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l sysctl -d 'Set a kernel parameter of its namespaces (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l shm-size -d 'Set the size of /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l pid -d 'See this machine\'s processes: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l ipc -d 'Share this machine\'s memory segments and queues: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -l uts -d 'Share this machine\'s host name: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand run" -s d -l detach -d 'Leave it in the background and print its id'
complete -c rpod -n "__fish_rpod_using_subcommand run" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand run" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l rm -d 'Remove the container when it ends'
complete -c rpod -n "__fish_rpod_using_subcommand run" -s P -l publish-all -d 'Publish every exposed port on a free port of this machine'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l read-only -d 'Let nothing be written outside of mounts'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l init -d 'Run a small init that reaps processes and passes signals on'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand run" -s q -l quiet -d 'Say nothing while pulling'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l no-healthcheck -d 'docker\'s; there are no health checks to leave out yet'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand run" -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand exec" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand exec" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s d -l detach -d 'Leave it in the background'
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand exec" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand exec" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand ps" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s n -l last -d 'Show the newest so many, whether they run or not' -r
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s a -l all -d 'Show also those that do not run'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s l -l latest -d 'Show the newest, whether it runs or not'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s s -l size -d 'Show how much each has written'
complete -c rpod -n "__fish_rpod_using_subcommand ps" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand logs" -s n -l tail -d 'Print so many lines from the end, or all' -r
complete -c rpod -n "__fish_rpod_using_subcommand logs" -l since -d 'Leave out what is older: a time, or how long ago' -r
complete -c rpod -n "__fish_rpod_using_subcommand logs" -l until -d 'Leave out what is newer: a time, or how long ago' -r
complete -c rpod -n "__fish_rpod_using_subcommand logs" -s f -l follow -d 'Go on until it ends'
complete -c rpod -n "__fish_rpod_using_subcommand logs" -s t -l timestamps -d 'Print the time of each line'
complete -c rpod -n "__fish_rpod_using_subcommand logs" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand inspect" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand inspect" -l type -d 'Look only for a container, image, volume or network' -r
complete -c rpod -n "__fish_rpod_using_subcommand inspect" -s s -l size -d 'Measure how much a container has written'
complete -c rpod -n "__fish_rpod_using_subcommand inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand create" -s a -l attach -d 'docker\'s; what is attached is decided at the start' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l name -d 'Name the container' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l group-add -d 'Add a group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s v -l volume -d 'Mount as [SOURCE:]TARGET[:ro], a volume or directory (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -l mount -d 'Mount as type=bind|volume|tmpfs,source=…,target=… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l tmpfs -d 'Mount memory (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l volumes-from -d 'Have the mounts of another container (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l device -d 'Have a device of this machine (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -s p -l publish -d 'Publish [IP:][HOST-PORT:]PORT[/udp] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l expose -d 'Expose a port or a range (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l entrypoint -d 'Run this instead of the image\'s entry point' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s h -l hostname -d 'Set the host name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l domainname -d 'Set the domain name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l network -d 'Join a network, or host, none, private, container:NAME, ns:PATH' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l ip -d 'Have this IPv4 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l ip6 -d 'Have this IPv6 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l mac-address -d 'Have this link address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l network-alias -d 'Be known by this name on its networks (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l network-capture -d 'Write the container\'s packets to a file, as tcpdump does' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -l dns -d 'Ask this name server (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l dns-search -d 'Search names in this domain (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l dns-option -d 'Set an option of the resolver (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l add-host -d 'Add a line to /etc/hosts (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l link -d 'Know another container by a name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s l -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l label-file -d 'Read labels from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -l cidfile -d 'Write the container\'s id to a new file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand create" -l pull -d 'Pull the image: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l restart -d 'Start again: no, always, unless-stopped or on-failure[:TIMES]' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l stop-signal -d 'Stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l stop-timeout -d 'Give it so many seconds to stop' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l cap-add -d 'Add a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l cap-drop -d 'Drop a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l security-opt -d 'Set no-new-privileges or seccomp=unconfined (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l ulimit -d 'Limit a resource, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l sysctl -d 'Set a kernel parameter of its namespaces (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l shm-size -d 'Set the size of /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l pid -d 'See this machine\'s processes: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l ipc -d 'Share this machine\'s memory segments and queues: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -l uts -d 'Share this machine\'s host name: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand create" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand create" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l rm -d 'Remove the container when it ends'
complete -c rpod -n "__fish_rpod_using_subcommand create" -s P -l publish-all -d 'Publish every exposed port on a free port of this machine'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l read-only -d 'Let nothing be written outside of mounts'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l init -d 'Run a small init that reaps processes and passes signals on'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand create" -s q -l quiet -d 'Say nothing while pulling'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l no-healthcheck -d 'docker\'s; there are no health checks to leave out yet'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand create" -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand start" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand start" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand start" -s a -l attach -d 'Show its output and pass signals on until it ends'
complete -c rpod -n "__fish_rpod_using_subcommand start" -s i -l interactive -d 'Give it your input as well'
complete -c rpod -n "__fish_rpod_using_subcommand start" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand stop" -s t -l timeout -d 'Give them so many seconds; -1 waits without end' -r
complete -c rpod -n "__fish_rpod_using_subcommand stop" -s s -l signal -d 'Ask with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand stop" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand restart" -s t -l timeout -d 'Give them so many seconds to stop; -1 waits without end' -r
complete -c rpod -n "__fish_rpod_using_subcommand restart" -s s -l signal -d 'Ask them to stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand restart" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand kill" -s s -l signal -d 'Send this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand kill" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand wait" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand rm" -s f -l force -d 'Kill them first if they run; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand rm" -s v -l volumes -d 'Remove their anonymous volumes as well'
complete -c rpod -n "__fish_rpod_using_subcommand rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand attach" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand attach" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand attach" -l no-stdin -d 'Do not give it your input'
complete -c rpod -n "__fish_rpod_using_subcommand attach" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand cp" -s a -l archive -d 'Keep owners as they are'
complete -c rpod -n "__fish_rpod_using_subcommand cp" -s L -l follow-link -d 'Copy what a symbolic link given as the source points to'
complete -c rpod -n "__fish_rpod_using_subcommand cp" -s q -l quiet -d 'Say nothing when it is done'
complete -c rpod -n "__fish_rpod_using_subcommand cp" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand rename" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand pause" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand unpause" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand diff" -l format -d 'Print as json instead of lines' -r
complete -c rpod -n "__fish_rpod_using_subcommand diff" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s a -l author -d 'Who made it: "Ann <ann@example.org>"' -r
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s c -l change -d 'Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s f -l format -d 'Write its manifest as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand commit" -l iidfile -d 'Write the image\'s id to this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s m -l message -d 'Say what was changed and why' -r
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s p -l pause -d 'Pause the container meanwhile' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s q -l quiet -d 'Print nothing but the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand commit" -l squash -d 'Make one layer of the image\'s and the container\'s own'
complete -c rpod -n "__fish_rpod_using_subcommand commit" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand export" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand export" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand mount" -l format -d 'List as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand mount" -s a -l all -d 'Mount every container'
complete -c rpod -n "__fish_rpod_using_subcommand mount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand umount" -s a -l all -d 'Unmount every container that is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand umount" -s f -l force -d 'Unmount also what is in use'
complete -c rpod -n "__fish_rpod_using_subcommand umount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand port" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l policy -d 'Ask the registry: always, missing, never, newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l retry -d 'How often more something that failed is tried' -r
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l retry-delay -d 'How long before it is tried again; it doubles' -r
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand pull" -s a -l all-tags -d 'Pull every tag of the repository'
complete -c rpod -n "__fish_rpod_using_subcommand pull" -s q -l quiet -d 'Print only the image\'s name when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand pull" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand pull" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand search" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand search" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand search" -l limit -d 'Show at most so many' -r
complete -c rpod -n "__fish_rpod_using_subcommand search" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand search" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand search" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand search" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand search" -l list-tags -d 'List the tags of the repository TERM'
complete -c rpod -n "__fish_rpod_using_subcommand search" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand search" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand push" -l digestfile -d 'Write the digest of what was pushed to this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand push" -l platform -d 'Push the image of this platform out of a list' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -s f -l format -d 'Write the manifest as oci or v2s2 (docker\'s)' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -l retry -d 'How often more something that failed is tried' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -l retry-delay -d 'How long before it is tried again; it doubles' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -l compression-format -d 'Compress layers with gzip or zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -l compression-level -d 'Compress this hard: 0 to 9 with gzip, 1 to 22 with zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -l force-compression -d 'Compress also what is compressed in another way; so with a format' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand push" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand push" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand push" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand push" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand push" -s a -l all-tags -d 'Push every tag of the repository'
complete -c rpod -n "__fish_rpod_using_subcommand push" -s q -l quiet -d 'Print only the image\'s name when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand push" -l remove-signatures -d 'Leave signatures where they are; none goes along'
complete -c rpod -n "__fish_rpod_using_subcommand push" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand push" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand images" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand images" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand images" -s a -l all -d 'docker\'s; rpod keeps no images between the steps of a build'
complete -c rpod -n "__fish_rpod_using_subcommand images" -l digests -d 'Show digests'
complete -c rpod -n "__fish_rpod_using_subcommand images" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand images" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand images" -l tree -d 'Show each with all its names, its platform and the bytes it takes'
complete -c rpod -n "__fish_rpod_using_subcommand images" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand history" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand history" -s H -l human -d 'Show sizes and times for people; =false shows bytes and moments' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand history" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand history" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand history" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -l platform -d 'Remove it only if it is for this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -s a -l all -d 'Remove all images, each with all its names'
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -s f -l force -d 'Remove also what a container uses; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -s i -l ignore -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -l no-prune -d 'Keep untagged parents; rpod never removes them'
complete -c rpod -n "__fish_rpod_using_subcommand rmi" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand build" -s t -l tag -d 'Name the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -s f -l file -d 'Read this Dockerfile; `-` is standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand build" -l target -d 'Build this stage and what it needs' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l build-arg -d 'Give an ARG a value; without `=` the caller\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l build-arg-file -d 'Read values of ARGs from a file (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l build-context -d 'Add a context: a directory, or docker-image://NAME (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l secret -d 'Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l ssh -d 'Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l label -d 'Label the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l annotation -d 'Annotate the image\'s manifest (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -s o -l output -d 'Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l env -d 'Set a variable of the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l unsetenv -d 'Take a variable away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l unsetlabel -d 'Take a label away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l platform -d 'Build for these platforms, several as one list (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l arch -d 'Build for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l variant -d 'Build for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l os -d 'Build for this operating system: linux' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l from -d 'Build upon this image instead of the first FROM\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l manifest -d 'Put the image into this list, made when it is missing' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l jobs -d 'Do this many steps at once; 0 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l pull -d 'Ask for base images: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l iidfile -d 'Write the image\'s id to a file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand build" -l metadata-file -d 'Write what was built to a file, as JSON' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand build" -l progress -d 'Show progress as auto, plain, tty, classic, rawjson or quiet' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l no-cache-filter -d 'Take nothing of these stages from the cache (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cache-from -d 'Take steps from NAME or type=registry|local,… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cache-to -d 'Send steps to NAME or type=registry|local|inline,… (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cache-ttl -d 'Take from the cache only what is younger than this' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l network -l net -d 'Give RUN a network: default, host or none' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l add-host -d 'Add a line to /etc/hosts of RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l dns -d 'Use this name server in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l dns-search -d 'Search these domains in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l dns-option -d 'Set an option of the resolver in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l ulimit -d 'Limit RUN, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -s m -l memory -d 'Give RUN at most this much memory' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l memory-swap -d 'Give RUN at most this much memory and swap; -1 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -s c -l cpu-shares -d 'Weigh RUN against others on the processors; 1024 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cpu-quota -d 'Give RUN this time on the processors in each period; -1 is all' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cpu-period -d 'Make a period this long; 100000 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cpuset-cpus -d 'Run RUN on these processors, such as 0-2,4' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cpuset-mems -d 'Give RUN memory of these nodes' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cgroup-parent -d 'Put RUN below this cgroup, or into this slice of systemd\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l shm-size -d 'Give RUN this much /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cap-add -d 'Give RUN a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cap-drop -d 'Take a capability from RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l group-add -d 'Give RUN one more group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l security-opt -d 'Change what keeps RUN in: seccomp=unconfined, no-new-privileges' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -s v -l volume -d 'Mount a directory in every RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l allow -d 'Allow security.insecure or network.host (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l format -d 'Write the image\'s documents as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l timestamp -d 'Give the image and all its files this time, in seconds since 1970' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l source-date-epoch -d 'Give the image this time; files are never newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l rewrite-timestamp -d 'Give files the time of the base image instead of the time of the build' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l layers -d 'Keep steps for other builds; else the new layers are one' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l ignorefile -d 'Read what the context leaves out from this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand build" -l http-proxy -d 'Pass the caller\'s proxy variables on to RUN' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l retry -d 'Ask a registry this often, when it fails' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l retry-delay -d 'Wait so long before it is asked again' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l attest -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l provenance -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l sbom -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l builder -d 'docker\'s: there is one builder' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l call -d 'docker\'s: build or check' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l isolation -d 'Podman\'s: steps run in containers' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l identity-label -d 'Podman\'s: no label tells who built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l skip-unused-stages -d 'Podman\'s: what the target does not need is not built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l force-rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand build" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand build" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand build" -l push -d 'Push the image under all its names'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l squash -d 'Make the new layers one'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l squash-all -d 'Make all layers one, those of the base too'
complete -c rpod -n "__fish_rpod_using_subcommand build" -s q -l quiet -d 'Print only the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l no-cache -d 'Take nothing from the cache'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l no-hosts -d 'Leave /etc/hosts of RUN as the image has it'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l check -d 'Only check the Dockerfile'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l debug-shell -d 'Open a shell where a RUN failed'
complete -c rpod -n "__fish_rpod_using_subcommand build" -s D -l disable-compression -d 'Podman\'s: nothing is compressed before it leaves the machine'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l load -d 'docker\'s: an image is always in the store'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l compress -d 'docker\'s: nothing is sent that could be compressed'
complete -c rpod -n "__fish_rpod_using_subcommand build" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand build" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand tag" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand untag" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand load" -s i -l input -d 'Read this file or directory instead of standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand load" -l platform -d 'Take only images for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand load" -s q -l quiet -d 'Say nothing while loading'
complete -c rpod -n "__fish_rpod_using_subcommand load" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand save" -l format -d 'Write docker-archive, oci-archive, docker-dir or oci-dir' -r
complete -c rpod -n "__fish_rpod_using_subcommand save" -s o -l output -d 'Write to this file or directory instead of standard output' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand save" -l platform -d 'Take only images for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand save" -s m -l multi-image-archive -d 'Take several images, as always'
complete -c rpod -n "__fish_rpod_using_subcommand save" -l uncompressed -d 'Write layers as they are kept, compressed or not'
complete -c rpod -n "__fish_rpod_using_subcommand save" -s q -l quiet -d 'Say nothing while saving'
complete -c rpod -n "__fish_rpod_using_subcommand save" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand login" -s u -l username -d 'User\'s name' -r
complete -c rpod -n "__fish_rpod_using_subcommand login" -s p -l password -d 'Password; others on this machine can see it' -r
complete -c rpod -n "__fish_rpod_using_subcommand login" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand login" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand login" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand login" -l password-stdin -d 'Read the password from standard input'
complete -c rpod -n "__fish_rpod_using_subcommand login" -l get-login -d 'Print the user who is logged in, and do nothing else'
complete -c rpod -n "__fish_rpod_using_subcommand login" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand logout" -l authfile -d 'Logins are in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand logout" -s a -l all -d 'Log out of every registry'
complete -c rpod -n "__fish_rpod_using_subcommand logout" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand import" -s c -l change -d 'Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand import" -s m -l message -d 'Say what it is and why' -r
complete -c rpod -n "__fish_rpod_using_subcommand import" -l platform -d 'Say that it is for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand import" -s q -l quiet -d 'Print nothing but the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand import" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand unshare" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand info" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand info" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand version" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand version" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand completion" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "attach" -d 'Attach to a running container\'s input and output'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "commit" -d 'Make an image of what a container is now'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "cp" -d 'Copy files into a container or out of one'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "create" -d 'Create a container from an image and leave it to be started'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "diff" -d 'Show what a container has changed'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "exec" -d 'Run another program in a running container'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "export" -d 'Write a container\'s files as a tar'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "inspect" -d 'Show everything known of containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "kill" -d 'Send a signal to containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "logs" -d 'Print what a container wrote'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "ls" -d 'List containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "list" -d 'List containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "ps" -d 'List containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "mount" -d 'Mount containers inside `rpod unshare`, or list what is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "pause" -d 'Stop all processes of containers where they are'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "port" -d 'List the published ports of a container'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "prune" -d 'Remove all containers that do not run'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "rename" -d 'Rename a container'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "restart" -d 'Stop containers if they run, and start them'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "rm" -d 'Remove containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "remove" -d 'Remove containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "run" -d 'Create a container from an image and start it'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "start" -d 'Start containers, with their files as they were'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "stop" -d 'Stop containers: ask them to end, and end them when they do not'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "unmount" -d 'End the mounts of containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "umount" -d 'End the mounts of containers'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "unpause" -d 'Let all processes of paused containers go on'
complete -c rpod -n "__fish_rpod_using_subcommand container; and not __fish_seen_subcommand_from attach commit cp create diff exec export inspect kill logs ls list ps mount pause port prune rename restart rm remove run start stop unmount umount unpause wait" -f -a "wait" -d 'Wait until containers end, and print their exit statuses'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from attach" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from attach" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from attach" -l no-stdin -d 'Do not give it your input'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from attach" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s a -l author -d 'Who made it: "Ann <ann@example.org>"' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s c -l change -d 'Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s f -l format -d 'Write its manifest as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -l iidfile -d 'Write the image\'s id to this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s m -l message -d 'Say what was changed and why' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s p -l pause -d 'Pause the container meanwhile' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s q -l quiet -d 'Print nothing but the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -l squash -d 'Make one layer of the image\'s and the container\'s own'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from commit" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from cp" -s a -l archive -d 'Keep owners as they are'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from cp" -s L -l follow-link -d 'Copy what a symbolic link given as the source points to'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from cp" -s q -l quiet -d 'Say nothing when it is done'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from cp" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s a -l attach -d 'docker\'s; what is attached is decided at the start' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l name -d 'Name the container' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l group-add -d 'Add a group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s v -l volume -d 'Mount as [SOURCE:]TARGET[:ro], a volume or directory (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l mount -d 'Mount as type=bind|volume|tmpfs,source=…,target=… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l tmpfs -d 'Mount memory (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l volumes-from -d 'Have the mounts of another container (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l device -d 'Have a device of this machine (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s p -l publish -d 'Publish [IP:][HOST-PORT:]PORT[/udp] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l expose -d 'Expose a port or a range (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l entrypoint -d 'Run this instead of the image\'s entry point' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s h -l hostname -d 'Set the host name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l domainname -d 'Set the domain name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l network -d 'Join a network, or host, none, private, container:NAME, ns:PATH' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l ip -d 'Have this IPv4 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l ip6 -d 'Have this IPv6 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l mac-address -d 'Have this link address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l network-alias -d 'Be known by this name on its networks (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l network-capture -d 'Write the container\'s packets to a file, as tcpdump does' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns -d 'Ask this name server (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-search -d 'Search names in this domain (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-option -d 'Set an option of the resolver (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l add-host -d 'Add a line to /etc/hosts (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l link -d 'Know another container by a name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s l -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l label-file -d 'Read labels from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l cidfile -d 'Write the container\'s id to a new file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l pull -d 'Pull the image: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l restart -d 'Start again: no, always, unless-stopped or on-failure[:TIMES]' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-signal -d 'Stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-timeout -d 'Give it so many seconds to stop' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-add -d 'Add a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-drop -d 'Drop a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l security-opt -d 'Set no-new-privileges or seccomp=unconfined (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l ulimit -d 'Limit a resource, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l sysctl -d 'Set a kernel parameter of its namespaces (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l shm-size -d 'Set the size of /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l pid -d 'See this machine\'s processes: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l ipc -d 'Share this machine\'s memory segments and queues: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l uts -d 'Share this machine\'s host name: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l rm -d 'Remove the container when it ends'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s P -l publish-all -d 'Publish every exposed port on a free port of this machine'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l read-only -d 'Let nothing be written outside of mounts'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l init -d 'Run a small init that reaps processes and passes signals on'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Say nothing while pulling'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l no-healthcheck -d 'docker\'s; there are no health checks to leave out yet'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from create" -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from diff" -l format -d 'Print as json instead of lines' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s d -l detach -d 'Leave it in the background'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from exec" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from export" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from export" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s s -l size -d 'Measure how much it has written'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from kill" -s s -l signal -d 'Send this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Print so many lines from the end, or all' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -l since -d 'Leave out what is older: a time, or how long ago' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -l until -d 'Leave out what is newer: a time, or how long ago' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until it ends'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -s t -l timestamps -d 'Print the time of each line'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s n -l last -d 'Show the newest so many, whether they run or not' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s a -l all -d 'Show also those that do not run'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s l -l latest -d 'Show the newest, whether it runs or not'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s s -l size -d 'Show how much each has written'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s n -l last -d 'Show the newest so many, whether they run or not' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s a -l all -d 'Show also those that do not run'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s l -l latest -d 'Show the newest, whether it runs or not'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s s -l size -d 'Show how much each has written'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from list" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s n -l last -d 'Show the newest so many, whether they run or not' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s a -l all -d 'Show also those that do not run'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s l -l latest -d 'Show the newest, whether it runs or not'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s s -l size -d 'Show how much each has written'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from ps" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from mount" -l format -d 'List as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from mount" -s a -l all -d 'Mount every container'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from port" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from restart" -s t -l timeout -d 'Give them so many seconds to stop; -1 waits without end' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from restart" -s s -l signal -d 'Ask them to stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from rm" -s f -l force -d 'Kill them first if they run; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from rm" -s v -l volumes -d 'Remove their anonymous volumes as well'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from remove" -s f -l force -d 'Kill them first if they run; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from remove" -s v -l volumes -d 'Remove their anonymous volumes as well'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s a -l attach -d 'Attach to stdin, stdout or stderr (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l name -d 'Name the container' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s e -l env -d 'Set a variable; without = it takes yours (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l env-file -d 'Read variables from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s w -l workdir -d 'Start in this directory' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s u -l user -d 'Run as this user' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l group-add -d 'Add a group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s v -l volume -d 'Mount as [SOURCE:]TARGET[:ro], a volume or directory (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l mount -d 'Mount as type=bind|volume|tmpfs,source=…,target=… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l tmpfs -d 'Mount memory (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l volumes-from -d 'Have the mounts of another container (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l device -d 'Have a device of this machine (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s p -l publish -d 'Publish [IP:][HOST-PORT:]PORT[/udp] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l expose -d 'Expose a port or a range (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l entrypoint -d 'Run this instead of the image\'s entry point' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s h -l hostname -d 'Set the host name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l domainname -d 'Set the domain name inside' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l network -d 'Join a network, or host, none, private, container:NAME, ns:PATH' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l ip -d 'Have this IPv4 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l ip6 -d 'Have this IPv6 address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l mac-address -d 'Have this link address on its network' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l network-alias -d 'Be known by this name on its networks (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l network-capture -d 'Write the container\'s packets to a file, as tcpdump does' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns -d 'Ask this name server (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-search -d 'Search names in this domain (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-option -d 'Set an option of the resolver (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l add-host -d 'Add a line to /etc/hosts (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l link -d 'Know another container by a name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s l -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l label-file -d 'Read labels from a file (can be repeated)' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l cidfile -d 'Write the container\'s id to a new file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l pull -d 'Pull the image: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l restart -d 'Start again: no, always, unless-stopped or on-failure[:TIMES]' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-signal -d 'Stop with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-timeout -d 'Give it so many seconds to stop' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-add -d 'Add a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-drop -d 'Drop a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l security-opt -d 'Set no-new-privileges or seccomp=unconfined (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l ulimit -d 'Limit a resource, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l sysctl -d 'Set a kernel parameter of its namespaces (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l shm-size -d 'Set the size of /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l pid -d 'See this machine\'s processes: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l ipc -d 'Share this machine\'s memory segments and queues: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l uts -d 'Share this machine\'s host name: host' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s d -l detach -d 'Leave it in the background and print its id'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s i -l interactive -d 'Keep standard input open'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s t -l tty -d 'Give it a terminal'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l rm -d 'Remove the container when it ends'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s P -l publish-all -d 'Publish every exposed port on a free port of this machine'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l read-only -d 'Let nothing be written outside of mounts'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l init -d 'Run a small init that reaps processes and passes signals on'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l privileged -d 'Give it every right that you have'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say nothing while pulling'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l no-healthcheck -d 'docker\'s; there are no health checks to leave out yet'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from run" -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from start" -l sig-proxy -d 'Pass signals on to the program' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from start" -l detach-keys -d 'Type these keys to detach; the default is ctrl-p,ctrl-q' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from start" -s a -l attach -d 'Show its output and pass signals on until it ends'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from start" -s i -l interactive -d 'Give it your input as well'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from start" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from stop" -s t -l timeout -d 'Give them so many seconds; -1 waits without end' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from stop" -s s -l signal -d 'Ask with this signal' -r
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s a -l all -d 'Unmount every container that is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s f -l force -d 'Unmount also what is in use'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from unmount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from umount" -s a -l all -d 'Unmount every container that is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from umount" -s f -l force -d 'Unmount also what is in use'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from unpause" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand container; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "build" -d 'Build an image from a Dockerfile and a context'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "diff" -d 'Show what an image\'s last layer changes'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "exists" -d 'Say by the exit status whether there is such an image'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "history" -d 'Show how an image was made'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "import" -d 'Make an image of a tar of files'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "inspect" -d 'Show everything known of images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "load" -d 'Load images from an archive or an OCI layout'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "ls" -d 'List images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "list" -d 'List images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "mount" -d 'Mount images inside `rpod unshare`, or list what is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "prune" -d 'Remove images that nothing names'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "pull" -d 'Pull images from their registries'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "push" -d 'Push an image to its registry'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "rm" -d 'Remove images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "remove" -d 'Remove images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "save" -d 'Write images as an archive'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "tag" -d 'Give an image another name'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "tree" -d 'Show an image\'s layers as a tree'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "unmount" -d 'End the mounts of images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "umount" -d 'End the mounts of images'
complete -c rpod -n "__fish_rpod_using_subcommand image; and not __fish_seen_subcommand_from build diff exists history import inspect load ls list mount prune pull push rm remove save tag tree unmount umount untag" -f -a "untag" -d 'Take names from an image, which stays'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s t -l tag -d 'Name the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s f -l file -d 'Read this Dockerfile; `-` is standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l target -d 'Build this stage and what it needs' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l build-arg -d 'Give an ARG a value; without `=` the caller\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l build-arg-file -d 'Read values of ARGs from a file (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l build-context -d 'Add a context: a directory, or docker-image://NAME (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l secret -d 'Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l ssh -d 'Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l label -d 'Label the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l annotation -d 'Annotate the image\'s manifest (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s o -l output -d 'Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l env -d 'Set a variable of the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l unsetenv -d 'Take a variable away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l unsetlabel -d 'Take a label away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l platform -d 'Build for these platforms, several as one list (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l arch -d 'Build for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l variant -d 'Build for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l os -d 'Build for this operating system: linux' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l from -d 'Build upon this image instead of the first FROM\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l manifest -d 'Put the image into this list, made when it is missing' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l jobs -d 'Do this many steps at once; 0 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l pull -d 'Ask for base images: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image\'s id to a file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write what was built to a file, as JSON' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l progress -d 'Show progress as auto, plain, tty, classic, rawjson or quiet' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Take nothing of these stages from the cache (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cache-from -d 'Take steps from NAME or type=registry|local,… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cache-to -d 'Send steps to NAME or type=registry|local|inline,… (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cache-ttl -d 'Take from the cache only what is younger than this' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l network -l net -d 'Give RUN a network: default, host or none' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l add-host -d 'Add a line to /etc/hosts of RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l dns -d 'Use this name server in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l dns-search -d 'Search these domains in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l dns-option -d 'Set an option of the resolver in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l ulimit -d 'Limit RUN, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s m -l memory -d 'Give RUN at most this much memory' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l memory-swap -d 'Give RUN at most this much memory and swap; -1 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d 'Weigh RUN against others on the processors; 1024 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cpu-quota -d 'Give RUN this time on the processors in each period; -1 is all' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cpu-period -d 'Make a period this long; 100000 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cpuset-cpus -d 'Run RUN on these processors, such as 0-2,4' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cpuset-mems -d 'Give RUN memory of these nodes' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Put RUN below this cgroup, or into this slice of systemd\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l shm-size -d 'Give RUN this much /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cap-add -d 'Give RUN a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cap-drop -d 'Take a capability from RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l group-add -d 'Give RUN one more group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l security-opt -d 'Change what keeps RUN in: seccomp=unconfined, no-new-privileges' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s v -l volume -d 'Mount a directory in every RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l allow -d 'Allow security.insecure or network.host (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l format -d 'Write the image\'s documents as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l timestamp -d 'Give the image and all its files this time, in seconds since 1970' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l source-date-epoch -d 'Give the image this time; files are never newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l rewrite-timestamp -d 'Give files the time of the base image instead of the time of the build' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l layers -d 'Keep steps for other builds; else the new layers are one' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l ignorefile -d 'Read what the context leaves out from this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l http-proxy -d 'Pass the caller\'s proxy variables on to RUN' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l retry -d 'Ask a registry this often, when it fails' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l retry-delay -d 'Wait so long before it is asked again' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l attest -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l provenance -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l sbom -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l builder -d 'docker\'s: there is one builder' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l call -d 'docker\'s: build or check' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l isolation -d 'Podman\'s: steps run in containers' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l identity-label -d 'Podman\'s: no label tells who built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l skip-unused-stages -d 'Podman\'s: what the target does not need is not built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l force-rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l push -d 'Push the image under all its names'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l squash -d 'Make the new layers one'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l squash-all -d 'Make all layers one, those of the base too'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Print only the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l no-cache -d 'Take nothing from the cache'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l no-hosts -d 'Leave /etc/hosts of RUN as the image has it'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l check -d 'Only check the Dockerfile'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l debug-shell -d 'Open a shell where a RUN failed'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s D -l disable-compression -d 'Podman\'s: nothing is compressed before it leaves the machine'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l load -d 'docker\'s: an image is always in the store'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l compress -d 'docker\'s: nothing is sent that could be compressed'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from build" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from diff" -l format -d 'Print as json instead of lines' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from history" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from history" -s H -l human -d 'Show sizes and times for people; =false shows bytes and moments' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from history" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from history" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from import" -s c -l change -d 'Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from import" -s m -l message -d 'Say what it is and why' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from import" -l platform -d 'Say that it is for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print nothing but the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from import" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from load" -s i -l input -d 'Read this file or directory instead of standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from load" -l platform -d 'Take only images for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Say nothing while loading'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from load" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -s a -l all -d 'docker\'s; rpod keeps no images between the steps of a build'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -l digests -d 'Show digests'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -l tree -d 'Show each with all its names, its platform and the bytes it takes'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -s a -l all -d 'docker\'s; rpod keeps no images between the steps of a build'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -l digests -d 'Show digests'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -l no-trunc -d 'Cut nothing off'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -l tree -d 'Show each with all its names, its platform and the bytes it takes'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from list" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from mount" -l format -d 'List as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from mount" -s a -l all -d 'Mount every image'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all that no container is made from'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l policy -d 'Ask the registry: always, missing, never, newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l platform -d 'Take the image of this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l retry -d 'How often more something that failed is tried' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l retry-delay -d 'How long before it is tried again; it doubles' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -s a -l all-tags -d 'Pull every tag of the repository'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Print only the image\'s name when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l digestfile -d 'Write the digest of what was pushed to this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l platform -d 'Push the image of this platform out of a list' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -s f -l format -d 'Write the manifest as oci or v2s2 (docker\'s)' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l retry -d 'How often more something that failed is tried' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l retry-delay -d 'How long before it is tried again; it doubles' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l compression-format -d 'Compress layers with gzip or zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l compression-level -d 'Compress this hard: 0 to 9 with gzip, 1 to 22 with zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l force-compression -d 'Compress also what is compressed in another way; so with a format' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -s a -l all-tags -d 'Push every tag of the repository'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Print only the image\'s name when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l remove-signatures -d 'Leave signatures where they are; none goes along'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from push" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -l platform -d 'Remove it only if it is for this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -s a -l all -d 'Remove all images, each with all its names'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -s f -l force -d 'Remove also what a container uses; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -s i -l ignore -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -l no-prune -d 'Keep untagged parents; rpod never removes them'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -l platform -d 'Remove it only if it is for this platform' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -s a -l all -d 'Remove all images, each with all its names'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -s f -l force -d 'Remove also what a container uses; what is not there is no error'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -s i -l ignore -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -l no-prune -d 'Keep untagged parents; rpod never removes them'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -l format -d 'Write docker-archive, oci-archive, docker-dir or oci-dir' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -s o -l output -d 'Write to this file or directory instead of standard output' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -l platform -d 'Take only images for this platform: linux/arm64' -r
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -s m -l multi-image-archive -d 'Take several images, as always'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -l uncompressed -d 'Write layers as they are kept, compressed or not'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Say nothing while saving'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from save" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from tag" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from tree" -l whatrequires -d 'Show what other images have upon it'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from tree" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s a -l all -d 'Unmount every image that is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s f -l force -d 'Unmount also what is in use'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from unmount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from umount" -s a -l all -d 'Unmount every image that is mounted'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from umount" -s f -l force -d 'Unmount also what is in use'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand image; and __fish_seen_subcommand_from untag" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "build" -d 'Build an image from a Dockerfile and a context'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "du" -d 'Show what builds keep, and how much of the disk it takes'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "prune" -d 'Delete what builds keep and no image is made of'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s t -l tag -d 'Name the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s f -l file -d 'Read this Dockerfile; `-` is standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l target -d 'Build this stage and what it needs' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l build-arg -d 'Give an ARG a value; without `=` the caller\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l build-arg-file -d 'Read values of ARGs from a file (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l build-context -d 'Add a context: a directory, or docker-image://NAME (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l secret -d 'Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l ssh -d 'Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l label -d 'Label the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l annotation -d 'Annotate the image\'s manifest (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s o -l output -d 'Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l env -d 'Set a variable of the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l unsetenv -d 'Take a variable away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l unsetlabel -d 'Take a label away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l platform -d 'Build for these platforms, several as one list (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l arch -d 'Build for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l variant -d 'Build for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l os -d 'Build for this operating system: linux' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l from -d 'Build upon this image instead of the first FROM\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l manifest -d 'Put the image into this list, made when it is missing' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l jobs -d 'Do this many steps at once; 0 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l pull -d 'Ask for base images: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image\'s id to a file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write what was built to a file, as JSON' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l progress -d 'Show progress as auto, plain, tty, classic, rawjson or quiet' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Take nothing of these stages from the cache (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cache-from -d 'Take steps from NAME or type=registry|local,… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cache-to -d 'Send steps to NAME or type=registry|local|inline,… (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cache-ttl -d 'Take from the cache only what is younger than this' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l network -l net -d 'Give RUN a network: default, host or none' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l add-host -d 'Add a line to /etc/hosts of RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l dns -d 'Use this name server in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l dns-search -d 'Search these domains in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l dns-option -d 'Set an option of the resolver in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l ulimit -d 'Limit RUN, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s m -l memory -d 'Give RUN at most this much memory' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l memory-swap -d 'Give RUN at most this much memory and swap; -1 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d 'Weigh RUN against others on the processors; 1024 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpu-quota -d 'Give RUN this time on the processors in each period; -1 is all' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpu-period -d 'Make a period this long; 100000 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpuset-cpus -d 'Run RUN on these processors, such as 0-2,4' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpuset-mems -d 'Give RUN memory of these nodes' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Put RUN below this cgroup, or into this slice of systemd\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l shm-size -d 'Give RUN this much /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cap-add -d 'Give RUN a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cap-drop -d 'Take a capability from RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l group-add -d 'Give RUN one more group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l security-opt -d 'Change what keeps RUN in: seccomp=unconfined, no-new-privileges' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s v -l volume -d 'Mount a directory in every RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l allow -d 'Allow security.insecure or network.host (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l format -d 'Write the image\'s documents as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l timestamp -d 'Give the image and all its files this time, in seconds since 1970' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l source-date-epoch -d 'Give the image this time; files are never newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l rewrite-timestamp -d 'Give files the time of the base image instead of the time of the build' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l layers -d 'Keep steps for other builds; else the new layers are one' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l ignorefile -d 'Read what the context leaves out from this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l http-proxy -d 'Pass the caller\'s proxy variables on to RUN' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l retry -d 'Ask a registry this often, when it fails' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l retry-delay -d 'Wait so long before it is asked again' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l attest -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l provenance -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l sbom -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l builder -d 'docker\'s: there is one builder' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l call -d 'docker\'s: build or check' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l isolation -d 'Podman\'s: steps run in containers' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l identity-label -d 'Podman\'s: no label tells who built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l skip-unused-stages -d 'Podman\'s: what the target does not need is not built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l force-rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l push -d 'Push the image under all its names'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l squash -d 'Make the new layers one'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l squash-all -d 'Make all layers one, those of the base too'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Print only the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l no-cache -d 'Take nothing from the cache'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l no-hosts -d 'Leave /etc/hosts of RUN as the image has it'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l check -d 'Only check the Dockerfile'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l debug-shell -d 'Open a shell where a RUN failed'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s D -l disable-compression -d 'Podman\'s: nothing is compressed before it leaves the machine'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l load -d 'docker\'s: an image is always in the store'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l compress -d 'docker\'s: nothing is sent that could be compressed'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from build" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from du" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from du" -l verbose -d 'Show what each is as well'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from du" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from prune" -l filter -d 'Delete only what was not used for this long: until=24h (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from prune" -s a -l all -d 'Delete cache mounts, what was fetched, and the steps of images as well'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand builder; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune" -f -a "build" -d 'Build an image from a Dockerfile and a context'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune" -f -a "b" -d 'Build an image from a Dockerfile and a context'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune" -f -a "du" -d 'Show what builds keep, and how much of the disk it takes'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune" -f -a "prune" -d 'Delete what builds keep and no image is made of'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s t -l tag -d 'Name the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s f -l file -d 'Read this Dockerfile; `-` is standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l target -d 'Build this stage and what it needs' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l build-arg -d 'Give an ARG a value; without `=` the caller\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l build-arg-file -d 'Read values of ARGs from a file (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l build-context -d 'Add a context: a directory, or docker-image://NAME (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l secret -d 'Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l ssh -d 'Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l label -d 'Label the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l annotation -d 'Annotate the image\'s manifest (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s o -l output -d 'Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l env -d 'Set a variable of the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l unsetenv -d 'Take a variable away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l unsetlabel -d 'Take a label away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l platform -d 'Build for these platforms, several as one list (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l arch -d 'Build for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l variant -d 'Build for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l os -d 'Build for this operating system: linux' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l from -d 'Build upon this image instead of the first FROM\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l manifest -d 'Put the image into this list, made when it is missing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l jobs -d 'Do this many steps at once; 0 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l pull -d 'Ask for base images: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image\'s id to a file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write what was built to a file, as JSON' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l progress -d 'Show progress as auto, plain, tty, classic, rawjson or quiet' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Take nothing of these stages from the cache (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cache-from -d 'Take steps from NAME or type=registry|local,… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cache-to -d 'Send steps to NAME or type=registry|local|inline,… (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cache-ttl -d 'Take from the cache only what is younger than this' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l network -l net -d 'Give RUN a network: default, host or none' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l add-host -d 'Add a line to /etc/hosts of RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l dns -d 'Use this name server in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l dns-search -d 'Search these domains in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l dns-option -d 'Set an option of the resolver in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l ulimit -d 'Limit RUN, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s m -l memory -d 'Give RUN at most this much memory' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l memory-swap -d 'Give RUN at most this much memory and swap; -1 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d 'Weigh RUN against others on the processors; 1024 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpu-quota -d 'Give RUN this time on the processors in each period; -1 is all' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpu-period -d 'Make a period this long; 100000 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpuset-cpus -d 'Run RUN on these processors, such as 0-2,4' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpuset-mems -d 'Give RUN memory of these nodes' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Put RUN below this cgroup, or into this slice of systemd\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l shm-size -d 'Give RUN this much /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cap-add -d 'Give RUN a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cap-drop -d 'Take a capability from RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l group-add -d 'Give RUN one more group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l security-opt -d 'Change what keeps RUN in: seccomp=unconfined, no-new-privileges' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s v -l volume -d 'Mount a directory in every RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l allow -d 'Allow security.insecure or network.host (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l format -d 'Write the image\'s documents as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l timestamp -d 'Give the image and all its files this time, in seconds since 1970' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l source-date-epoch -d 'Give the image this time; files are never newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l rewrite-timestamp -d 'Give files the time of the base image instead of the time of the build' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l layers -d 'Keep steps for other builds; else the new layers are one' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l ignorefile -d 'Read what the context leaves out from this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l http-proxy -d 'Pass the caller\'s proxy variables on to RUN' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l retry -d 'Ask a registry this often, when it fails' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l retry-delay -d 'Wait so long before it is asked again' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l attest -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l provenance -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l sbom -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l builder -d 'docker\'s: there is one builder' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l call -d 'docker\'s: build or check' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l isolation -d 'Podman\'s: steps run in containers' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l identity-label -d 'Podman\'s: no label tells who built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l skip-unused-stages -d 'Podman\'s: what the target does not need is not built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l force-rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l push -d 'Push the image under all its names'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l squash -d 'Make the new layers one'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l squash-all -d 'Make all layers one, those of the base too'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Print only the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l no-cache -d 'Take nothing from the cache'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l no-hosts -d 'Leave /etc/hosts of RUN as the image has it'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l check -d 'Only check the Dockerfile'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l debug-shell -d 'Open a shell where a RUN failed'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s D -l disable-compression -d 'Podman\'s: nothing is compressed before it leaves the machine'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l load -d 'docker\'s: an image is always in the store'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l compress -d 'docker\'s: nothing is sent that could be compressed'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from build" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s t -l tag -d 'Name the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s f -l file -d 'Read this Dockerfile; `-` is standard input' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l target -d 'Build this stage and what it needs' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l build-arg -d 'Give an ARG a value; without `=` the caller\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l build-arg-file -d 'Read values of ARGs from a file (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l build-context -d 'Add a context: a directory, or docker-image://NAME (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l secret -d 'Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l ssh -d 'Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l label -d 'Label the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l annotation -d 'Annotate the image\'s manifest (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s o -l output -d 'Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l env -d 'Set a variable of the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l unsetenv -d 'Take a variable away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l unsetlabel -d 'Take a label away from the image (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l platform -d 'Build for these platforms, several as one list (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l arch -d 'Build for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l variant -d 'Build for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l os -d 'Build for this operating system: linux' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l from -d 'Build upon this image instead of the first FROM\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l manifest -d 'Put the image into this list, made when it is missing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l jobs -d 'Do this many steps at once; 0 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l pull -d 'Ask for base images: always, missing, never or newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l iidfile -d 'Write the image\'s id to a file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l metadata-file -d 'Write what was built to a file, as JSON' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l progress -d 'Show progress as auto, plain, tty, classic, rawjson or quiet' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l no-cache-filter -d 'Take nothing of these stages from the cache (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cache-from -d 'Take steps from NAME or type=registry|local,… (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cache-to -d 'Send steps to NAME or type=registry|local|inline,… (repeatable)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cache-ttl -d 'Take from the cache only what is younger than this' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l network -l net -d 'Give RUN a network: default, host or none' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l add-host -d 'Add a line to /etc/hosts of RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l dns -d 'Use this name server in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l dns-search -d 'Search these domains in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l dns-option -d 'Set an option of the resolver in RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l ulimit -d 'Limit RUN, as NAME=SOFT[:HARD] (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s m -l memory -d 'Give RUN at most this much memory' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l memory-swap -d 'Give RUN at most this much memory and swap; -1 is without limit' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s c -l cpu-shares -d 'Weigh RUN against others on the processors; 1024 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpu-quota -d 'Give RUN this time on the processors in each period; -1 is all' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpu-period -d 'Make a period this long; 100000 is usual' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpuset-cpus -d 'Run RUN on these processors, such as 0-2,4' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpuset-mems -d 'Give RUN memory of these nodes' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cgroup-parent -d 'Put RUN below this cgroup, or into this slice of systemd\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l shm-size -d 'Give RUN this much /dev/shm' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cap-add -d 'Give RUN a capability (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cap-drop -d 'Take a capability from RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l group-add -d 'Give RUN one more group (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l security-opt -d 'Change what keeps RUN in: seccomp=unconfined, no-new-privileges' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s v -l volume -d 'Mount a directory in every RUN (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l allow -d 'Allow security.insecure or network.host (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l format -d 'Write the image\'s documents as oci or docker' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l timestamp -d 'Give the image and all its files this time, in seconds since 1970' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l source-date-epoch -d 'Give the image this time; files are never newer' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l rewrite-timestamp -d 'Give files the time of the base image instead of the time of the build' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l layers -d 'Keep steps for other builds; else the new layers are one' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l ignorefile -d 'Read what the context leaves out from this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l http-proxy -d 'Pass the caller\'s proxy variables on to RUN' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l retry -d 'Ask a registry this often, when it fails' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l retry-delay -d 'Wait so long before it is asked again' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l attest -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l provenance -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l sbom -d 'docker\'s: what is attested, which is nothing' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l builder -d 'docker\'s: there is one builder' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l call -d 'docker\'s: build or check' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l isolation -d 'Podman\'s: steps run in containers' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l identity-label -d 'Podman\'s: no label tells who built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l skip-unused-stages -d 'Podman\'s: what the target does not need is not built' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l force-rm -d 'docker\'s: no container is left behind' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l push -d 'Push the image under all its names'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l squash -d 'Make the new layers one'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l squash-all -d 'Make all layers one, those of the base too'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s q -l quiet -d 'Print only the image\'s id'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l no-cache -d 'Take nothing from the cache'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l no-hosts -d 'Leave /etc/hosts of RUN as the image has it'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l check -d 'Only check the Dockerfile'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l debug-shell -d 'Open a shell where a RUN failed'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s D -l disable-compression -d 'Podman\'s: nothing is compressed before it leaves the machine'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l load -d 'docker\'s: an image is always in the store'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l compress -d 'docker\'s: nothing is sent that could be compressed'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -l disable-content-trust -d 'docker\'s; there is no such trust to disable'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from b" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from du" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from du" -l verbose -d 'Show what each is as well'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from du" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l filter -d 'Delete only what was not used for this long: until=24h (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s a -l all -d 'Delete cache mounts, what was fetched, and the steps of images as well'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "add" -d 'Add images to a list, or files as an artifact'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "annotate" -d 'Change what a list says of an image, or of itself'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "create" -d 'Create a list of images'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "exists" -d 'Say by the exit status whether there is such a list'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "inspect" -d 'Show a list, or what a registry has under a name'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "push" -d 'Push a list and all its images'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "remove" -d 'Take an image out of a list'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and not __fish_seen_subcommand_from add annotate create exists inspect push remove rm" -f -a "rm" -d 'Remove lists; their images stay'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-type -d 'Say that the artifact is of this type' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-config -d 'Take this file as the artifact\'s configuration' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-config-type -d 'Say that the artifact\'s configuration is of this type' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-layer-type -d 'Say that the artifact\'s files are of this type' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-subject -d 'Say that the artifact is about this image' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os -d 'Say that it is for this operating system' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l arch -d 'Say that it is for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l variant -d 'Say that it is for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os-version -d 'Say that it is for this version of the operating system' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l os-features -d 'Say that it needs these of the operating system (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l features -d 'Say that it needs these of the processor (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l annotation -d 'Annotate it (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l all -d 'Add all images of those that are lists'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact -d 'Add files as an artifact, and no images'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l artifact-exclude-titles -d 'Keep the names of the artifact\'s files out of it'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -l insecure -d 'Accept a registry without a certificate that is trusted'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from add" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l subject -d 'Say that the list is about this image' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os -d 'Say that it is for this operating system' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l arch -d 'Say that it is for this architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l variant -d 'Say that it is for this variant of the architecture' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os-version -d 'Say that it is for this version of the operating system' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l os-features -d 'Say that it needs these of the operating system (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l features -d 'Say that it needs these of the processor (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l annotation -d 'Annotate it (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -l index -d 'Annotate the list itself'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from annotate" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -s a -l amend -d 'Add to a list that is there already'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l all -d 'Add all images of those that are lists'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -l insecure -d 'Accept a registry without a certificate that is trusted'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from create" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -s v -l verbose -d 'Show of each image its platform and its manifest'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l referrers -d 'Show what the registry has about it: signatures, attestations'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -l insecure -d 'Accept a registry without a certificate that is trusted'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l all -d 'Push the images in it too; with false they are at the registry already' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l digestfile -d 'Write the digest of the list to this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s f -l format -d 'Write the list and its images as oci or v2s2 (docker\'s)' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l compression-format -d 'Compress layers with gzip or zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l compression-level -d 'Compress this hard: 0 to 9 with gzip, 1 to 22 with zstd' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l force-compression -d 'Compress also what is compressed in another way; so with a format' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l tls-verify -d 'Accept a registry without a certificate that is trusted: false' -r -f -a "true\t''
false\t''"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l authfile -d 'Keep logins in this file' -r -F
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l cert-dir -d 'Take the registry\'s certificates from this directory' -r -f -a "(__fish_complete_directories)"
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l creds -d 'Log in with these for this once; others on this machine can see them' -r
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s p -l purge -d 'Remove the list from this machine when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Print only the list\'s digest when it is there'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l remove-signatures -d 'Leave signatures where they are; none goes along'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -l insecure -d 'Accept a registry without a certificate that is trusted'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from push" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from rm" -s i -l ignore -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand manifest; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "connect" -d 'Connect a container to a network'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "create" -d 'Create a network'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "disconnect" -d 'Disconnect a container from a network'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "exists" -d 'Say by the exit status whether there is a network'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "inspect" -d 'Show everything known of networks'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "ls" -d 'List networks'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "list" -d 'List networks'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "prune" -d 'Remove every network that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "rm" -d 'Remove networks that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "remove" -d 'Remove networks that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "stats" -d 'Show what containers send and get on networks, each second anew'
complete -c rpod -n "__fish_rpod_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect exists inspect ls list prune rm remove stats update" -f -a "update" -d 'Change a network, for those on it as well'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l ip -d 'Have this IPv4 address there' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l ip6 -d 'Have this IPv6 address there' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l mac-address -d 'Have this link address there' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l alias -d 'Be known by this name there (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l link -d 'Know another container there by a name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l driver-opt -d 'Set an option of the place, such as its device\'s name (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -l gw-priority -d 'Take this network for the way out before those with less' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from connect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -s d -l driver -d 'Take this driver; there is one, bridge' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l subnet -d 'Have these addresses, as ADDRESS/BITS (one of each version of IP)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l gateway -d 'Have this address of its own (one for each subnet)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l ip-range -d 'Give containers addresses of this range (one for each subnet)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l aux-address -d 'Give this address to no container unasked (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -s o -l opt -d 'Set an option of docker\'s bridges or podman\'s (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l interface-name -d 'Call its bridge\'s device this' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l dns -d 'Ask this server for names of the world (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l ipam-driver -d 'docker\'s and podman\'s; addresses are always rpod\'s to give' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l scope -d 'docker\'s; a network is one machine\'s' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l ipv6 -d 'Have IPv6 addresses as well'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l internal -d 'Have no way out'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l attachable -d 'docker\'s; every container can join every network'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l disable-dns -d 'Let its containers not know each other by name'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -l ignore -d 'Take it for no error that there is one of that name'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from create" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from disconnect" -s f -l force -d 'Do it also where the container\'s monitor is gone'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from disconnect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from exists" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from ls" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Show whole ids'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from list" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from list" -l no-trunc -d 'Show whole ids'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only ids'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from list" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from rm" -s f -l force -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from remove" -s f -l force -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from stats" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from stats" -l flows -d 'Show each flow between a container and the world'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from stats" -l no-stream -d 'Show it once'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from update" -l dns-add -d 'Ask this server for names of the world (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from update" -l dns-drop -d 'Ask this server no longer (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand network; and __fish_seen_subcommand_from update" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "create" -d 'Create a volume'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "inspect" -d 'Show everything known of volumes'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "ls" -d 'List volumes'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "list" -d 'List volumes'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "prune" -d 'Remove every volume that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "rm" -d 'Remove volumes that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "remove" -d 'Remove volumes that no container uses'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from create" -l label -d 'Set a label (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from create" -s o -l opt -d 'Set an option (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from create" -s d -l driver -d 'Take this driver; there is one, local' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from create" -l name -d 'docker\'s old way to name it' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from create" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from ls" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show only names'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from list" -s f -l filter -d 'Show those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from list" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only names'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from list" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove named ones as well, not only anonymous ones'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from rm" -s f -l force -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from remove" -s f -l force -d 'Take it for no error that one is not there'
complete -c rpod -n "__fish_rpod_using_subcommand volume; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "check" -d 'Show what is broken in the store, and mend it'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "df" -d 'Show what the store takes on the disk'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "info" -d 'Show what rpod found on this machine'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "migrate" -d 'Look for what an earlier rpod or other subordinate ids left in the store'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "prune" -d 'Remove all that is not used'
complete -c rpod -n "__fish_rpod_using_subcommand system; and not __fish_seen_subcommand_from check df info migrate prune reset" -f -a "reset" -d 'Remove everything: containers, images, networks, volumes'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from check" -s m -l max -d 'Take for broken a layer or blob that nothing has needed for so long' -r
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from check" -s q -l quick -d 'Compare sizes alone, and unpack no layer to compare it'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from check" -s r -l repair -d 'Fetch, unpack or make again what is broken'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from check" -s f -l force -d 'With --repair, remove containers that cannot be mended'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from check" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from df" -l format -d 'Show as a Go template says, or as table or json' -r
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from df" -s v -l verbose -d 'Show each image, container and volume'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from df" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from info" -s f -l format -d 'Show as a Go template says, or as json' -r
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from info" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from migrate" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from prune" -l filter -d 'Remove only those that fit (can be repeated)' -r
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove also images with names that no container is made from'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from prune" -l volumes -d 'Remove anonymous volumes that no container uses as well'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print this help'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from reset" -s f -l force -d 'Do not ask'
complete -c rpod -n "__fish_rpod_using_subcommand system; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print this help'
