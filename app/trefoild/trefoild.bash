# SPDX-License-Identifier: BSD-3-Clause
# bash completion for trefoild(8)
_trefoild()
{
	local cur=${COMP_WORDS[COMP_CWORD]}

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--config --check --json --help --usage --version" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _trefoild trefoild
